/* Opening a directory part by part, and what stands in an open one. */
#ifndef STORE_DIRECTORY_H
#define STORE_DIRECTORY_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Opens the directory, makes (0700) the parts of its path that are missing, follows only links of
 * root's and of our own. A failure: `why` is a clause that names the part and the reason. */
enum err store_directory_open(int *out, const char *path, char *why, size_t room);

/* Opens the folder `name` in `dir_fd`, made (0700) if it is missing. -1 with errno. */
int store_directory_make(int dir_fd, const char *name);
/* The same, and puts it in the place of the one that `fd` has open. 0, or an errno. */
int store_directory_make_again(int dir_fd, const char *name, int fd);

/* Each entry of `folder` below `dir_fd` ("." is that itself) but "." and ".."; `each` may remove
 * it. Ends at the first error and returns it. */
typedef enum err store_directory_each_fn(void *ctx, int dir_fd, const char *name);
enum err store_directory_each(int dir_fd, const char *folder, store_directory_each_fn *each,
                              void *ctx);
/* The same with what the folder says of the entry's kind, DT_UNKNOWN if nothing. */
typedef enum err store_directory_kind_fn(void *ctx, int dir_fd, const char *name,
                                         unsigned char kind);
enum err store_directory_each_kind(int dir_fd, const char *folder, store_directory_kind_fn *each,
                                   void *ctx);

/* True if `name` in `dir_fd` is what `fd` has open. */
bool store_directory_is_same(int dir_fd, const char *name, int fd);

#endif
