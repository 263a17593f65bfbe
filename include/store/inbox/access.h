/* Access of other users to received files. */
#ifndef STORE_INBOX_ACCESS_H
#define STORE_INBOX_ACCESS_H

#include "base/err.h"

#include <stddef.h>

struct inbox;

/* After open, before other threads start. Sets the group ("": the daemon's own) and mode of
 * finished files and opens the inbox directory to everyone who can read them. Default: 0600. */
enum err inbox_access_set(struct inbox *inbox, const char *group, unsigned mode, char *problem,
                          size_t problem_room);

/* For the store only. Applies the group and mode of inbox_access_set to `fd`. */
enum err inbox_access_apply(const struct inbox *in, int fd);

#endif
