/* The state that results from a journal. Only unreported records are kept, by transfer id, with the
 * offset of each record: a journal of a million reported files costs no memory. */
#ifndef STORE_JOURNAL_LEDGER_H
#define STORE_JOURNAL_LEDGER_H

#include "base/err.h"
#include "store/journal/record.h"

#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>

struct journal_ledger_unreported {
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

/* Zero-initialised: empty. */
struct journal_ledger {
    struct journal_ledger_unreported *unreported; /* by transfer_id */
    struct journal_ledger_voided *voided;         /* by offset: file records without a file; few */
    bool has_header;
    uint32_t version;
    uint32_t next_id;
    uint64_t settled_offset; /* of the last JOURNAL_RECORD_SETTLED */
    unsigned damaged;
    uint64_t first_damaged_offset;
};

void journal_ledger_fini(struct journal_ledger *ledger);

/* Enters the record at `offset`. */
enum err journal_ledger_apply(struct journal_ledger *ledger, const struct journal_record *record,
                              uint64_t offset, uint32_t length);

/* Enters all lines of `fd` from offset `from` up to `limit`; `*end` is the end of the last complete
 * line. */
enum err journal_ledger_read(struct journal_ledger *ledger, int fd, uint64_t from, uint64_t limit,
                             uint64_t *end);

/* Forgets the records from `offset` on. */
void journal_ledger_cut(struct journal_ledger *ledger, uint64_t offset);

bool journal_ledger_owes(const struct journal_ledger *ledger, uint32_t transfer_id);

/* The unreported entry whose record is at `offset`, or NULL. */
struct journal_ledger_unreported *journal_ledger_find(const struct journal_ledger *ledger,
                                                      uint32_t transfer_id, uint64_t offset);
bool journal_ledger_is_voided(const struct journal_ledger *ledger, uint64_t offset);
/* True if the outcome of the file recorded at `offset` is known. */
bool journal_ledger_is_settled(const struct journal_ledger *ledger, uint64_t offset);
void journal_ledger_forget(struct journal_ledger *ledger, uint32_t transfer_id);

#endif
