/* The journal file. Owner: the thread that opened the inbox, later the holder of the committer's
 * lock. */
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
struct journal_ledger_unreported;
struct journal_record;

struct journal;

/* Opens or creates `journal` in `dir_fd`, reads it and removes an incomplete last record.
 * ERR_CORRUPT: written by a later version. */
enum err journal_open(struct journal **out, int dir_fd, enum durability durability,
                      uint64_t limit_bytes);
void journal_close(struct journal **journal);

/* Buffers a record for the next journal_write and enters it in the ledger. */
enum err journal_add(struct journal *journal, const struct journal_record *record);

/* Writes the records added since the last journal_write: all of them, or none on an error (the
 * caller then corrects the ledger with journal_forget). Outcomes, JOURNAL_RECORD_VOID and
 * JOURNAL_RECORD_REPORTED, that could not be written are written by the next call that succeeds. */
enum err journal_write(struct journal *journal);

/* fdatasync(2). After an error nothing written can be assumed to be on the disk: the journal is
 * broken until journal_rewrite_if_needed. */
enum err journal_sync(struct journal *journal);

/* The same after a syncfs has written it: only checks for its write error. */
enum err journal_check_synced(struct journal *journal);

/* Rewrites the journal if it is broken or has grown beyond its limit (journal_needs_rewrite);
 * otherwise a no-op. */
bool journal_needs_rewrite(const struct journal *journal);
enum err journal_rewrite_if_needed(struct journal *journal);

/* Rewrites it unconditionally: for when the content read may differ from the content on the disk.
 */
enum err journal_rewrite(struct journal *journal);

/* At open, after release 0.1's leftovers have been appended: rewrites a journal of an older format
 * version. Until then every rewrite keeps all records, and records are added in the file's own
 * version. A rewrite writes the current version, so that an older daemon refuses the file: that of
 * journal_open (no header) and that after the import of release 0.1's log of
 * small files come before this one. */
enum err journal_upgrade(struct journal *journal);

/* Appends the file records of the journal part `fd`, before offset `limit`: all of them, or none on
 * an error. ERR_CORRUPT: written by a later version. `*damaged`: number of records skipped. */
enum err journal_append_part(struct journal *journal, int fd, uint64_t limit, unsigned *damaged);

void journal_forget(struct journal *journal, uint32_t transfer_id);
struct journal_ledger *journal_ledger(struct journal *journal);
/* Blocks of ids in use; when one is returned the caller removes it. */
struct journal_id_blocks *journal_ids_out(struct journal *journal);
bool journal_owes(struct journal *journal, uint32_t transfer_id);
/* True if the journal's name still refers to the open file: it was not removed or replaced. */
bool journal_is_in_place(const struct journal *journal);
int journal_fd(const struct journal *journal);
uint64_t journal_size(const struct journal *journal);

/* Calls `each` for every unreported record. */
typedef enum err journal_unreported_fn(void *ctx, const struct journal_file *record,
                                       struct journal_ledger_unreported *unreported);
enum err journal_each_unreported(struct journal *journal, journal_unreported_fn *each, void *ctx);

/* Reserves the next block of transfer ids: added, not yet written. Skips unreported ids and blocks
 * in use. ERR_FULL: no id is free. */
enum err journal_reserve_ids(struct journal *journal, struct transfer_ids *out);

#endif
