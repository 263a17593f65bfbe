/* Whether the inbox is still where it was opened. */
#ifndef STORE_INBOX_PLACE_H
#define STORE_INBOX_PLACE_H

#include "base/err.h"
#include "settings/settings.h"

#include <stddef.h>

struct inbox;

/* Any thread. Why no file is taken in: the inbox is not the folder that was opened any more, or
 * cannot be written. A sentence with what to do, "" and ERR_OK if nothing is wrong. As seen by the
 * last commit, or within the last second. */
enum { INBOX_TROUBLE_SIZE = SETTINGS_TEXT_SIZE + 256 };
enum err inbox_place_trouble(const struct inbox *inbox, char *to, size_t room);

/* The rest is for the store. */

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

/* The committer's second thread. Looks at all of it, takes a trouble back that is over, and makes
 * the lock file and the second folder of partial files again. */
enum err inbox_place_check(struct inbox *inbox);

#endif
