/* Whether the inbox is still where it was opened. */
#ifndef STORE_INBOX_PLACE_H
#define STORE_INBOX_PLACE_H

#include "base/err.h"
#include "store/inbox/inbox.h"

#include <stdbool.h>

/* At the end of opening. */
void inbox_place_open(struct inbox *inbox);

/* Any thread. ERR_NO_INBOX: the inbox or its .dustwire is not what was opened any more, so what
 * stands in it now is not under the path that is told; ERR_DENIED: that cannot be seen. Two looks
 * at names. */
enum err inbox_place_look(struct inbox *inbox);

/* Any thread. A file could not be made there for that reason. */
void inbox_place_refused(struct inbox *inbox, enum err e);

/* Any thread. Why no file is to be begun. Of a read-only file system each file hears by itself, so
 * that one refusal, which may have been of a moment, refuses no other file. */
enum err inbox_place_refuses(const struct inbox *inbox);

/* True if `name` in `dir_fd` is what `fd` has open. */
bool inbox_place_is_same(int dir_fd, const char *name, int fd);

/* The committer's second thread. Looks at all of it, takes a trouble back that is over, and makes
 * the lock file and the second folder of partial files again. */
enum err inbox_place_check(struct inbox *inbox);

#endif
