/* Who besides the daemon may read what was received. */
#ifndef STORE_INBOX_ACCESS_H
#define STORE_INBOX_ACCESS_H

#include "base/err.h"

#include <stddef.h>

struct inbox;

/* After open, before other threads: finished files belong to `group` ("": our own) and have `mode`;
 * the inbox itself lets in who may read them. Without it: 0600. */
enum err inbox_access_set(struct inbox *inbox, const char *group, unsigned mode, char *problem,
                          size_t problem_room);

/* The store's. Gives a file of ours the group and mode of inbox_access_set. */
enum err inbox_access_apply(const struct inbox *in, int fd);

#endif
