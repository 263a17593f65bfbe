/* What a journal comes to. Only what is owed is kept, by transfer id, each with the place of its
 * record: a journal of a million reported files costs no memory. */
#ifndef STORE_JOURNAL_LEDGER_H
#define STORE_JOURNAL_LEDGER_H

#include "base/err.h"
#include "store/journal/record.h"

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

struct journal_ledger_owed {
    uint32_t transfer_id;
    uint32_t length;
    uint64_t offset;
    bool is_void;
    UT_hash_handle hh;
};

struct journal_ledger_voided {
    uint64_t offset;
    UT_hash_handle hh;
};

/* All zero is an empty one. */
struct journal_ledger {
    struct journal_ledger_owed *owed; /* by transfer_id */
    struct journal_ledger_voided
        *voided; /* by offset: file records without a file; failures, so few */
    bool has_header;
    uint32_t version;
    uint32_t next_id;
    uint64_t settled_offset; /* of the last JOURNAL_RECORD_SETTLED */
    unsigned damaged;
    uint64_t first_damaged_offset;
};

void journal_ledger_fini(struct journal_ledger *ledger);

/* Enters the record that stands at `offset`. */
enum err journal_ledger_take(struct journal_ledger *ledger, const struct journal_record *record,
                             uint64_t offset, uint32_t length);

/* Enters all lines of `fd` from `from` on and before `most`; `*end` is where the last whole line
 * ends. */
enum err journal_ledger_read(struct journal_ledger *ledger, int fd, uint64_t from, uint64_t most,
                             uint64_t *end);

/* Forgets the records at `offset` and behind it. */
void journal_ledger_cut(struct journal_ledger *ledger, uint64_t offset);

bool journal_ledger_owes(const struct journal_ledger *ledger, uint32_t transfer_id);

/* The owed entry whose record is the one at `offset`, else NULL. */
struct journal_ledger_owed *journal_ledger_find(const struct journal_ledger *ledger,
                                                uint32_t transfer_id, uint64_t offset);
bool journal_ledger_is_voided(const struct journal_ledger *ledger, uint64_t offset);
/* True if what became of the file of the record at `offset` was known. */
bool journal_ledger_is_settled(const struct journal_ledger *ledger, uint64_t offset);
void journal_ledger_forget(struct journal_ledger *ledger, uint32_t transfer_id);

#endif
