/* The journal's file. Owner: whoever opened the inbox, then who has the committer's lock. */
#ifndef STORE_JOURNAL_JOURNAL_H
#define STORE_JOURNAL_JOURNAL_H

#include "base/err.h"
#include "settings/settings.h"
#include "store/journal/file.h"
#include "store/journal/transfer_ids.h"

#include <stdbool.h>
#include <stdint.h>

struct journal_id_blocks;
struct journal_ledger;
struct journal_ledger_owed;
struct journal_record;

struct journal;

/* Opens or makes `journal` in `dir_fd`, reads it, cuts off a torn end; pinned. ERR_CORRUPT: written
 * by a later version. */
enum err journal_open(struct journal **out, int dir_fd, enum durability durability,
                      uint64_t limit_bytes);
void journal_close(struct journal **journal);

/* Adds a record to what the next journal_write writes, and to the ledger. */
enum err journal_add(struct journal *journal, const struct journal_record *record);

/* Writes what was added since the last journal_write: all of it, or on an error none of it (the
 * ledger is the caller's to correct, with journal_forget). What became of a file,
 * JOURNAL_RECORD_VOID and JOURNAL_RECORD_REPORTED, then goes out with the next one that succeeds.
 */
enum err journal_write(struct journal *journal);

/* fdatasync(2). After an error nothing written is known to be on the disk: the journal is broken
 * until journal_mend. */
enum err journal_sync(struct journal *journal);

/* The same, when a sync of the whole file system has just written it: asks only for its error. */
enum err journal_was_synced(struct journal *journal);

/* Rewrites a broken journal and one that has grown beyond its limit (journal_wants_mending); at
 * ease with any other. */
bool journal_wants_mending(const struct journal *journal);
enum err journal_mend(struct journal *journal);

/* Rewrites it in any case: what was read of it may not be what is on the disk. */
enum err journal_renew(struct journal *journal);

/* At open, when what release 0.1 left beside it is in it: rewrites one of an older version, whole.
 * Until then every rewrite is of all of it, and records are added as its version has them, so that
 * an older daemon can still go on with it if the start fails. */
enum err journal_update(struct journal *journal);

/* Writes what the part `fd` says of files, before `most`, behind the journal's own: all of it, or
 * on an error none of it. ERR_CORRUPT: written by a later version. `*damaged` records were skipped.
 */
enum err journal_absorb(struct journal *journal, int fd, uint64_t most, unsigned *damaged);

void journal_forget(struct journal *journal, uint32_t transfer_id);
struct journal_ledger *journal_ledger(struct journal *journal);
/* The blocks of ids that are out; who takes one back removes it. */
struct journal_id_blocks *journal_ids_out(struct journal *journal);
bool journal_owes(struct journal *journal, uint32_t transfer_id);
/* What stands under its name is what it writes to: nobody took it away, or put another there. */
bool journal_is_in_place(const struct journal *journal);
int journal_fd(const struct journal *journal);
uint64_t journal_size(const struct journal *journal);

/* Calls `each` for the record of everything owed. */
typedef enum err journal_owed_fn(void *ctx, const struct journal_file *record,
                                 struct journal_ledger_owed *owed);
enum err journal_each_owed(struct journal *journal, journal_owed_fn *each, void *ctx);

/* Reserves the next block of transfer ids: added, not yet written. What is owed is passed over, and
 * so are the blocks that are out. ERR_FULL: that is all of them. */
enum err journal_reserve_ids(struct journal *journal, struct transfer_ids *out);

#endif
