/* Who besides the daemon may read what was received. */
#ifndef STORE_INBOX_ACCESS_H
#define STORE_INBOX_ACCESS_H

#include "base/err.h"
#include "store/inbox/inbox.h"

/* Gives a file of ours the group and mode of inbox_access_set. */
enum err inbox_access_apply(const struct inbox *in, int fd);

#endif
