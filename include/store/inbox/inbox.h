/* The inbox on disk: finished files at its top level; partial files, one journal and one lock in
 * `<inbox>/.dustwire/`. A file keeps one name for life, chosen when it begins (UTC time, 63 random
 * bits, one bit for the directory, ".in"). A partial file is stored in .dustwire or
 * .dustwire/partial; when finished it is renamed into the inbox.
 *
 * This header: opening and recovering the inbox, its limits, unreported results. Partial files are
 * created and written by store/inbox/partial_file.h; finishing files and writing the journal is
 * done by the committer. */
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

/* Opens the inbox (missing directories are created with mode 0700), takes its lock, reads the
 * journal and cleans up after an interrupted run. Symbolic links in the path are followed only if
 * owned by root or this user; below the inbox none are followed. `problem` receives a sentence with
 * the path, the reason and what to do. ERR_BUSY: another daemon holds the lock. */
enum err inbox_open(struct inbox **out, const char *path, enum durability durability,
                    uint64_t journal_limit_bytes, char *problem, size_t problem_room);
void inbox_close(struct inbox **inbox);

const struct inbox_recovery *inbox_recovery(const struct inbox *inbox);

/* After open, before other threads start: calls `each` for every unreported result, finished or
 * failed. The record is valid during the call. Mark it as delivered with the committer
 * (COMMIT_REPORTED).
 */
typedef void inbox_unreported_fn(void *ctx, const struct journal_file *record, bool is_finished);
void inbox_each_unreported(struct inbox *inbox, inbox_unreported_fn *each, void *ctx);

/* At start, before the committer runs (later: COMMIT_IDS). */
enum err inbox_first_ids(struct inbox *inbox, struct transfer_ids *out);

/* Any thread except workers. Sets the limits on files in the inbox and being received, and the free
 * space to keep on its disk: quota-mib, files-limit and min-free-mib of [inbox]. */
void inbox_set_limits(struct inbox *inbox, const struct settings *settings);

/* Any thread. Usage by files in the inbox and files being received, as of the last count; `bytes`
 * only with a quota. */
struct inbox_usage {
    uint64_t bytes, quota_bytes; /* quota 0: none */
    uint64_t files, files_limit; /* 0: none */
};
struct inbox_usage inbox_usage(const struct inbox *inbox);

/* Any thread. Absolute path of the finished file. */
void inbox_final_path(const struct inbox *inbox, const char *name, char out[INBOX_PATH_SIZE]);

#endif
