#include "store/journal/ledger.h"

#include "store/journal/reader.h"
#include "store/journal/record.h"

#include <stdlib.h>

void journal_ledger_fini(struct journal_ledger *ledger)
{
    struct journal_ledger_owed *owed, *next_owed;
    struct journal_ledger_voided *voided, *next_voided;

    /* clang-analyzer does not understand HASH_ITER: the next element is read before the free. */
    HASH_ITER (hh, ledger->owed, owed, next_owed) {
        HASH_DEL(ledger->owed, owed); /* NOLINT(clang-analyzer-unix.Malloc) */
        free(owed);
    }
    HASH_ITER (hh, ledger->voided, voided, next_voided) {
        HASH_DEL(ledger->voided, voided); /* NOLINT(clang-analyzer-unix.Malloc) */
        free(voided);
    }
    *ledger = (struct journal_ledger){0};
}

static struct journal_ledger_owed *find(const struct journal_ledger *ledger, uint32_t transfer_id)
{
    struct journal_ledger_owed *owed;

    HASH_FIND(hh, ledger->owed, &transfer_id, sizeof transfer_id, owed);
    return owed;
}

static enum err owe(struct journal_ledger *ledger, uint32_t transfer_id, uint64_t offset,
                    uint32_t length)
{
    struct journal_ledger_owed *owed = find(ledger, transfer_id);

    if (owed == NULL) {
        owed = calloc(1, sizeof *owed);
        if (owed == NULL)
            return ERR_NO_MEMORY;
        owed->transfer_id = transfer_id;
        HASH_ADD(hh, ledger->owed, transfer_id, sizeof owed->transfer_id, owed);
        if (owed->hh.tbl == NULL) {
            free(owed);
            return ERR_NO_MEMORY;
        }
    }
    owed->offset = offset;
    owed->length = length;
    owed->is_void = false;
    return ERR_OK;
}

static enum err make_void(struct journal_ledger *ledger, uint32_t transfer_id)
{
    struct journal_ledger_owed *owed = find(ledger, transfer_id);
    struct journal_ledger_voided *voided;

    if (owed == NULL)
        return ERR_OK;
    owed->is_void = true;
    if (journal_ledger_is_voided(ledger, owed->offset))
        return ERR_OK;
    voided = calloc(1, sizeof *voided);
    if (voided == NULL)
        return ERR_NO_MEMORY;
    voided->offset = owed->offset;
    HASH_ADD(hh, ledger->voided, offset, sizeof voided->offset, voided);
    if (voided->hh.tbl == NULL) {
        free(voided);
        return ERR_NO_MEMORY;
    }
    return ERR_OK;
}

void journal_ledger_forget(struct journal_ledger *ledger, uint32_t transfer_id)
{
    struct journal_ledger_owed *owed = find(ledger, transfer_id);

    if (owed == NULL)
        return;
    /* An element that was found is in a table, so uthash's head is not NULL. */
    HASH_DEL(ledger->owed, owed); /* NOLINT(clang-analyzer-core.NullDereference) */
    free(owed);
}

void journal_ledger_cut(struct journal_ledger *ledger, uint64_t offset)
{
    struct journal_ledger_owed *owed, *next_owed;
    struct journal_ledger_voided *voided, *next_voided;

    HASH_ITER (hh, ledger->owed, owed, next_owed) {
        if (owed->offset < offset)
            continue;
        HASH_DEL(ledger->owed, owed); /* NOLINT(clang-analyzer-unix.Malloc) */
        free(owed);
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

enum err journal_ledger_take(struct journal_ledger *ledger, const struct journal_record *record,
                             uint64_t offset, uint32_t length)
{
    switch (record->kind) {
    case JOURNAL_RECORD_HEADER:
        ledger->has_header = true;
        ledger->version = record->number;
        return ERR_OK;
    case JOURNAL_RECORD_FILE:
        return owe(ledger, record->file.transfer_id, offset, length);
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

static enum err take_each(void *ctx, const struct journal_entry *entry)
{
    return journal_ledger_take(ctx, &entry->record, entry->offset, entry->length);
}

enum err journal_ledger_read(struct journal_ledger *ledger, int fd, uint64_t from, uint64_t limit,
                             uint64_t *end)
{
    struct journal_extent extent;
    enum err e = journal_reader_each(fd, from, limit, take_each, ledger, &extent);

    if (ledger->damaged == 0)
        ledger->first_damaged_offset = extent.first_damaged_offset;
    ledger->damaged += extent.damaged;
    *end = extent.end;
    return e;
}

struct journal_ledger_owed *journal_ledger_find(const struct journal_ledger *ledger,
                                                uint32_t transfer_id, uint64_t offset)
{
    struct journal_ledger_owed *owed = find(ledger, transfer_id);

    return owed != NULL && owed->offset == offset ? owed : NULL;
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
