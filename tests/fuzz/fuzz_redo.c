/* What a start reads of the redo log after a power cut: blocks, and the entries in them. The CRC is
 * put right, or nothing behind it would be reached. */
#include "store/redo.h"

#include <endian.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct redo_block block;
static volatile unsigned read_sum; /* else the compiler leaves the reading out */

static void mend_crc(void)
{
    uint32_t length, crc;

    memcpy(&length, block.bytes + 4, sizeof length);
    length = le32toh(length);
    if (length > block.held - REDO_HEADER_SIZE)
        return;
    crc = (uint32_t)crc32(0, (const Bytef *)block.bytes + 4, REDO_HEADER_SIZE - 4 + length);
    crc = htole32(crc);
    memcpy(block.bytes, &crc, sizeof crc);
}

/* Each byte of an entry is touched, so that a sanitizer sees one that is not there. */
static unsigned sum_of(const struct redo_entry *entry)
{
    unsigned sum = 0;

    for (size_t i = 0; i < entry->length; i++)
        sum += (unsigned char)entry->data[i];
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct redo_stamp stamp;
    struct redo_entry entry;
    size_t at = 0;

    if (size > REDO_BLOCK_MAX)
        return 0;
    memset(block.bytes, 0, REDO_HEADER_SIZE);
    memcpy(block.bytes, data, size);
    block.held = size;
    if (size >= REDO_HEADER_SIZE)
        mend_crc();
    if (!redo_block_check(&block, &stamp))
        return 0;
    while (redo_block_next(&block, &at, &entry))
        read_sum = sum_of(&entry);
    return 0;
}
