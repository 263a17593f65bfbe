/* Files that clients upload because the daemon cannot read them in place. Each is stored under its
 * own name in a directory of its own below `.dustwire/spool` in the inbox, from outbox_spool_begin
 * until the send has ended, with whatever result. Leftovers of an earlier run are removed at open.
 *
 * Owner: one thread (control); any thread can open a file's path. */
#ifndef STORE_OUTBOX_SPOOL_H
#define STORE_OUTBOX_SPOOL_H

#include "base/err.h"
#include "settings/settings.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    OUTBOX_SPOOL_PATH_SIZE = SETTINGS_TEXT_SIZE + 320,
    OUTBOX_SPOOL_FILES_MAX = 10000,
    OUTBOX_SPOOL_IDLE_MS = 60000, /* idle files are removed after this time */
};
/* Free disk space to keep, regardless of the limit. */
#define OUTBOX_SPOOL_MIN_FREE_BYTES ((uint64_t)64 << 20)

struct inbox;
struct outbox_spool;

/* `limit_bytes`: total of all files; 0: spooling is disabled. */
enum err outbox_spool_open(struct outbox_spool **out, struct inbox *inbox, uint64_t limit_bytes);
/* Removes all files. NULL is a no-op. */
void outbox_spool_close(struct outbox_spool **spool);

/* Reserves space for `size_bytes`. `name` is a file name without directories (ERR_INVALID).
 * ERR_DISABLED, ERR_TOO_LARGE: permanent; ERR_FULL: retry when other files are done; ERR_NO_SPACE,
 * ... */
enum err outbox_spool_begin(struct outbox_spool *spool, const char *name, uint64_t size_bytes,
                            uid_t owner, uint64_t now_ms, uint64_t *id);

/* Appends. ERR_NOT_FOUND: `owner` has no unsent file of this id. ERR_TOO_LARGE: more than
 * announced. Any other failure removes the file. */
enum err outbox_spool_write(struct outbox_spool *spool, uint64_t id, uid_t owner, const void *bytes,
                            size_t length, uint64_t now_ms);

/* Assigns the file to a send, once; from then on only outbox_spool_release removes it.
 * ERR_NOT_FOUND as above; ERR_SHRUNK: upload incomplete. */
enum err outbox_spool_take(struct outbox_spool *spool, uint64_t id, uid_t owner,
                           char path[OUTBOX_SPOOL_PATH_SIZE]);

/* The send has ended or was not started. Removes the file. */
void outbox_spool_release(struct outbox_spool *spool, uint64_t id);

void outbox_spool_expire(struct outbox_spool *spool, uint64_t now_ms);
uint64_t outbox_spool_bytes(const struct outbox_spool *spool); /* announced, of all files */

#endif
