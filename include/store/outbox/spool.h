/* Files that people stream to the daemon because it cannot read them where they are: each in a
 * folder of its own below `.dustwire/spool` in the inbox, under its own name, from
 * outbox_spool_begin until the send has ended, however it ends. What is left of an earlier run goes
 * at open.
 *
 * Belongs to one thread (control); a file's path may be opened by any. */
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
    OUTBOX_SPOOL_IDLE_MS = 60000, /* a file that nobody writes or sends for so long goes */
};
/* So much of the disk stays free, whatever the limit says. */
#define OUTBOX_SPOOL_LEAVES_BYTES ((uint64_t)64 << 20)

struct inbox;
struct outbox_spool;

/* `limit_bytes` of all files together; 0: none is taken. */
enum err outbox_spool_open(struct outbox_spool **out, struct inbox *inbox, uint64_t limit_bytes);
/* Every file goes with it. At ease with NULL. */
void outbox_spool_close(struct outbox_spool **spool);

/* Room for `size_bytes` is reserved at once. `name` is a file's, without folders (ERR_INVALID).
 * ERR_DISABLED, ERR_TOO_LARGE: never; ERR_FULL: when others are through; ERR_NO_SPACE, ... */
enum err outbox_spool_begin(struct outbox_spool *spool, const char *name, uint64_t size_bytes,
                            uid_t owner, uint64_t now_ms, uint64_t *id);

/* Appends. ERR_NOT_FOUND: there is none of this id that is `owner`'s and not yet sent.
 * ERR_TOO_LARGE: more than was announced. After a failure the file is gone, but after these two. */
enum err outbox_spool_write(struct outbox_spool *spool, uint64_t id, uid_t owner, const void *bytes,
                            size_t length, uint64_t now_ms);

/* The send takes it, once: from here on it goes only by outbox_spool_release. ERR_NOT_FOUND as
 * above; ERR_SHRUNK: bytes are missing. */
enum err outbox_spool_take(struct outbox_spool *spool, uint64_t id, uid_t owner,
                           char path[OUTBOX_SPOOL_PATH_SIZE]);

/* The send has ended, or never began. */
void outbox_spool_release(struct outbox_spool *spool, uint64_t id);

void outbox_spool_expire(struct outbox_spool *spool, uint64_t now_ms);
uint64_t outbox_spool_bytes(const struct outbox_spool *spool); /* announced, of all files */

#endif
