#include "store/journal/ledger.h"

#include "store/journal/reader.h"
#include "store/journal/record.h"

#include <stdlib.h>

void journal_ledger_fini(struct journal_ledger *ledger)
{
    struct journal_ledger_unreported *unreported, *next_unreported;
    struct journal_ledger_voided *voided, *next_voided;

    /* clang-analyzer does not understand HASH_ITER: the next element is read before the free. */
    HASH_ITER (hh, ledger->unreported, unreported, next_unreported) {
        HASH_DEL(ledger->unreported, unreported); /* NOLINT(clang-analyzer-unix.Malloc) */
        free(unreported);
    }
    HASH_ITER (hh, ledger->voided, voided, next_voided) {
        HASH_DEL(ledger->voided, voided); /* NOLINT(clang-analyzer-unix.Malloc) */
        free(voided);
    }
    *ledger = (struct journal_ledger){0};
}

static struct journal_ledger_unreported *find(const struct journal_ledger *ledger,
                                              uint32_t transfer_id)
{
    struct journal_ledger_unreported *unreported;

    HASH_FIND(hh, ledger->unreported, &transfer_id, sizeof transfer_id, unreported);
    return unreported;
}

static enum err add_unreported(struct journal_ledger *ledger, uint32_t transfer_id, uint64_t offset,
                               uint32_t length)
{
    struct journal_ledger_unreported *unreported = find(ledger, transfer_id);

    if (unreported == NULL) {
        unreported = calloc(1, sizeof *unreported);
        if (unreported == NULL)
            return ERR_NO_MEMORY;
        unreported->transfer_id = transfer_id;
        HASH_ADD(hh, ledger->unreported, transfer_id, sizeof unreported->transfer_id, unreported);
        if (unreported->hh.tbl == NULL) {
            free(unreported);
            return ERR_NO_MEMORY;
        }
    }
    unreported->offset = offset;
    unreported->length = length;
    unreported->is_void = false;
    return ERR_OK;
}

static enum err make_void(struct journal_ledger *ledger, uint32_t transfer_id)
{
    struct journal_ledger_unreported *unreported = find(ledger, transfer_id);
    struct journal_ledger_voided *voided;

    if (unreported == NULL)
        return ERR_OK;
    unreported->is_void = true;
    if (journal_ledger_is_voided(ledger, unreported->offset))
        return ERR_OK;
    voided = calloc(1, sizeof *voided);
    if (voided == NULL)
        return ERR_NO_MEMORY;
    voided->offset = unreported->offset;
    HASH_ADD(hh, ledger->voided, offset, sizeof voided->offset, voided);
    if (voided->hh.tbl == NULL) {
        free(voided);
        return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

void journal_ledger_forget(struct journal_ledger *ledger, uint32_t transfer_id)
{
    struct journal_ledger_unreported *unreported = find(ledger, transfer_id);

    if (unreported == NULL)
        return;
    /* An element that was found is in a table, so uthash's head is not NULL. */
    HASH_DEL(ledger->unreported, unreported); /* NOLINT(clang-analyzer-core.NullDereference) */
    free(unreported);
}

void journal_ledger_cut(struct journal_ledger *ledger, uint64_t offset)
{
    struct journal_ledger_unreported *unreported, *next_unreported;
    struct journal_ledger_voided *voided, *next_voided;

    HASH_ITER (hh, ledger->unreported, unreported, next_unreported) {
        if (unreported->offset < offset)
            continue;
        HASH_DEL(ledger->unreported, unreported); /* NOLINT(clang-analyzer-unix.Malloc) */
        free(unreported);
    }
    HASH_ITER (hh, ledger->voided, voided, next_voided) {
        if (voided->offset < offset)
            continue;
        HASH_DEL(ledger->voided, voided); /* NOLINT(clang-analyzer-unix.Malloc) */
        free(voided);
    }
}

bool journal_ledger_owes(const struct journal_ledger *ledger, uint32_t transfer_id)
{
    return find(ledger, transfer_id) != NULL;
}

enum err journal_ledger_apply(struct journal_ledger *ledger, const struct journal_record *record,
                              uint64_t offset, uint32_t length)
{
    switch (record->kind) {
    case JOURNAL_RECORD_HEADER:
        ledger->has_header = true;
        ledger->version = record->number;
        return ERR_OK;
    case JOURNAL_RECORD_FILE:
        return add_unreported(ledger, record->file.transfer_id, offset, length);
    case JOURNAL_RECORD_VOID:
        return make_void(ledger, record->number);
    case JOURNAL_RECORD_REPORTED:
        journal_ledger_forget(ledger, record->number);
        return ERR_OK;
    case JOURNAL_RECORD_IDS:
        ledger->next_id = record->number;
        return ERR_OK;
    case JOURNAL_RECORD_SETTLED:
        ledger->settled_offset = offset;
        return ERR_OK;
    }
    return ERR_OK;
}

static enum err apply_each(void *ctx, const struct journal_entry *entry)
{
    return journal_ledger_apply(ctx, &entry->record, entry->offset, entry->length);
}

enum err journal_ledger_read(struct journal_ledger *ledger, int fd, uint64_t from, uint64_t limit,
                             uint64_t *end)
{
    struct journal_extent extent;
    enum err e = journal_reader_each(fd, from, limit, apply_each, ledger, &extent);

    if (ledger->damaged == 0)
        ledger->first_damaged_offset = extent.first_damaged_offset;
    ledger->damaged += extent.damaged;
    *end = extent.end;
    return e;
}

struct journal_ledger_unreported *journal_ledger_find(const struct journal_ledger *ledger,
                                                      uint32_t transfer_id, uint64_t offset)
{
    struct journal_ledger_unreported *unreported = find(ledger, transfer_id);

    return unreported != NULL && unreported->offset == offset ? unreported : NULL;
}

bool journal_ledger_is_settled(const struct journal_ledger *ledger, uint64_t offset)
{
    return (ledger->has_header && ledger->version == JOURNAL_VERSION_UNSETTLED) ||
           offset < ledger->settled_offset;
}

bool journal_ledger_is_voided(const struct journal_ledger *ledger, uint64_t offset)
{
    struct journal_ledger_voided *voided;

    HASH_FIND(hh, ledger->voided, &offset, sizeof offset, voided);
    return voided != NULL;
}
