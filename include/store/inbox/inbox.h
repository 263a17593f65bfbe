/* The inbox on disk: finished files directly in it, partial files, one journal and one lock in
 * `<inbox>/.dustwire/`. A file has one name for life, chosen when it begins (UTC time, 63
 * random bits and one for its place, ".in"); while partial it stands under that name in .dustwire
 * or .dustwire/partial, renamed it stands in the inbox.
 *
 * Here: opening and recovering the inbox, its limits, what is owed. Partial files are begun and
 * written in store/inbox/partial_file.h; finishing files and writing the journal is the
 * committer's.
 */
#ifndef STORE_INBOX_INBOX_H
#define STORE_INBOX_INBOX_H

#include "base/err.h"
#include "settings/settings.h"
#include "store/inbox/recovery.h"
#include "store/journal/file.h"
#include "store/journal/transfer_ids.h"
#include "store/name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INBOX_PATH_SIZE = SETTINGS_TEXT_SIZE + STORE_NAME_SIZE };

struct inbox;

/* Opens (and makes, with mode 0700, where missing) the inbox, takes its lock, reads the journal,
 * clears what was half done. A link on the way to it is followed only if it is root's or this
 * user's; below it none is. `problem` gets a sentence that names the path, the reason and what to
 * do. ERR_BUSY: another daemon holds the lock. */
enum err inbox_open(struct inbox **out, const char *path, enum durability durability,
                    uint64_t journal_limit_bytes, char *problem, size_t problem_room);
void inbox_close(struct inbox **inbox);

const struct inbox_recovery *inbox_recovery(const struct inbox *inbox);

/* After open, before other threads: each report still owed, `is_finished` or failed. The record is
 * valid during the call. Mark it taken with the committer (COMMIT_REPORTED). */
typedef void inbox_owed_fn(void *ctx, const struct journal_file *record, bool is_finished);
void inbox_each_owed(struct inbox *inbox, inbox_owed_fn *each, void *ctx);

/* At start, before the committer runs (later: COMMIT_IDS). */
enum err inbox_first_ids(struct inbox *inbox, struct transfer_ids *out);

/* Any thread but a worker. How much may stand in the inbox and be under way to it, and what must
 * stay free on its disk: quota-mib, files-limit and min-free-mib of [inbox]. */
void inbox_set_limits(struct inbox *inbox, const struct settings *settings);

/* Any thread. What stands in the inbox and is under way to it, as counted last; `bytes` only where
 * there is a quota. */
struct inbox_usage {
    uint64_t bytes, quota_bytes; /* quota 0: none */
    uint64_t files, files_limit; /* 0: none */
};
struct inbox_usage inbox_usage(const struct inbox *inbox);

/* Any thread. Absolute path of the final name. */
void inbox_final_path(const struct inbox *inbox, const char *name, char out[INBOX_PATH_SIZE]);

#endif
