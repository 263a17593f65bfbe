/* The names of files that come in, and where they stand while they are partial. */
#ifndef STORE_INBOX_NAME_H
#define STORE_INBOX_NAME_H

#include "base/err.h"
#include "store/inbox/inbox.h"

#include <stdbool.h>

/* A name that no file has had: the time, 63 random bits and one for its place. */
enum err inbox_name_choose(char name[INBOX_NAME_SIZE]);

/* The folder in which a partial file of that name stands. */
int inbox_name_partial_fd(const struct inbox *inbox, const char *name);

/* True if `name` is one of those. */
bool inbox_name_is_valid(const char *name);

#endif
