#include "redo.h"

#include "base/contract.h"

#include <endian.h>
#include <string.h>
#include <zlib.h>

static const char magic[8] = {'d', 'w', 'r', 'e', 'd', 'o', '1', '\n'};

enum { AT_LENGTH = 4, AT_MAGIC = 8, AT_EPOCH = 16, AT_SEQUENCE = 24, AT_BOOT = 32 };

static void put_u32(char *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof value);
}

static uint32_t get_u32(const char *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

static void put_u64(char *at, uint64_t value)
{
    put_u32(at, (uint32_t)value);
    put_u32(at + 4, (uint32_t)(value >> 32));
}

static uint64_t get_u64(const char *at)
{
    return get_u32(at) | (uint64_t)get_u32(at + 4) << 32;
}

static uint32_t crc_of(const char *bytes, size_t length)
{
    return (uint32_t)crc32(0, (const Bytef *)bytes + AT_LENGTH, (uInt)(length - AT_LENGTH));
}

void redo_block_begin(struct redo_block *block)
{
    block->held = REDO_HEADER_SIZE;
}

bool redo_block_is_empty(const struct redo_block *block)
{
    return block->held <= REDO_HEADER_SIZE;
}

bool redo_block_has_room(const struct redo_block *block, size_t length)
{
    return REDO_BLOCK_MAX - block->held >= REDO_ENTRY_SIZE + RECORD_LINE_MAX + length;
}

char *redo_block_add(struct redo_block *block, const struct record *record, uint32_t mode,
                     uint32_t group, size_t length)
{
    char *at = block->bytes + block->held;
    size_t line;

    CONTRACT(redo_block_has_room(block, length));
    line = record_write(at + REDO_ENTRY_SIZE, record);
    put_u32(at, (uint32_t)line);
    put_u32(at + 4, (uint32_t)length);
    put_u32(at + 8, mode);
    put_u32(at + 12, group);
    block->held += REDO_ENTRY_SIZE + line + length;
    return at + REDO_ENTRY_SIZE + line;
}

static size_t aligned(size_t length)
{
    return (length + REDO_ALIGN - 1) / REDO_ALIGN * REDO_ALIGN;
}

void redo_block_seal(struct redo_block *block, const struct redo_stamp *stamp)
{
    char *at = block->bytes;
    size_t length = block->held;

    memset(at, 0, REDO_HEADER_SIZE);
    put_u32(at + AT_LENGTH, (uint32_t)(length - REDO_HEADER_SIZE));
    memcpy(at + AT_MAGIC, magic, sizeof magic);
    put_u64(at + AT_EPOCH, stamp->epoch);
    put_u32(at + AT_SEQUENCE, stamp->sequence);
    memcpy(at + AT_BOOT, stamp->boot, sizeof stamp->boot);
    put_u32(at, crc_of(at, length));
    block->held = aligned(length);
    memset(at + length, 0, block->held - length);
}

size_t redo_block_length(const char *bytes)
{
    size_t entries = get_u32(bytes + AT_LENGTH);

    if (memcmp(bytes + AT_MAGIC, magic, sizeof magic) != 0 ||
        entries > REDO_BLOCK_MAX - REDO_HEADER_SIZE)
        return 0;
    return aligned(REDO_HEADER_SIZE + entries);
}

bool redo_block_check(const struct redo_block *block, struct redo_stamp *stamp)
{
    const char *at = block->bytes;
    size_t length = block->held < REDO_HEADER_SIZE ? 0 : redo_block_length(at);

    if (length == 0 || length > block->held ||
        get_u32(at) != crc_of(at, REDO_HEADER_SIZE + get_u32(at + AT_LENGTH)))
        return false;
    stamp->epoch = get_u64(at + AT_EPOCH);
    stamp->sequence = get_u32(at + AT_SEQUENCE);
    memcpy(stamp->boot, at + AT_BOOT, sizeof stamp->boot);
    return stamp->boot[sizeof stamp->boot - 1] == '\0';
}

/* A line is of one of the kinds that belong here, and the data is what it speaks of. */
static bool is_sound(const struct redo_entry *entry)
{
    switch (entry->record.kind) {
    case RECORD_FILE:
        return entry->length == entry->record.file.size_bytes && entry->length <= REDO_DATA_MAX;
    case RECORD_REPORTED:
    case RECORD_VOID:
        return entry->length == 0;
    case RECORD_HEADER:
    case RECORD_IDS:
        break;
    }
    return false;
}

bool redo_block_next(struct redo_block *block, size_t *at, struct redo_entry *out)
{
    size_t end = REDO_HEADER_SIZE + get_u32(block->bytes + AT_LENGTH);
    size_t from = *at == 0 ? REDO_HEADER_SIZE : *at, line;
    char *entry = block->bytes + from;

    if (end - from < REDO_ENTRY_SIZE)
        return false;
    line = get_u32(entry);
    out->length = get_u32(entry + 4);
    out->mode = get_u32(entry + 8);
    out->group = get_u32(entry + 12);
    if (line == 0 || line > end - from - REDO_ENTRY_SIZE ||
        out->length > end - from - REDO_ENTRY_SIZE - line)
        return false;
    *at = from + REDO_ENTRY_SIZE + line + out->length;
    entry += REDO_ENTRY_SIZE;
    out->data = entry + line;
    return record_read(&out->record, entry, line - 1) && is_sound(out);
}
