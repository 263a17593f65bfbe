/* Opening directories component by component, and reading their entries. */
#ifndef STORE_DIRECTORY_H
#define STORE_DIRECTORY_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Opens the directory, creates missing path components (0700), follows only symbolic links owned by
 * root or this user. On failure `why` is a clause that names the component and the reason. */
enum err store_directory_open(int *out, const char *path, char *why, size_t room);

/* Opens the directory `name` in `dir_fd`, creates it (0700) if missing. -1 with errno. */
int store_directory_ensure(int dir_fd, const char *name);
/* The same, and makes the descriptor `fd` refer to it (dup3). Returns 0 or an errno. */
int store_directory_recreate(int dir_fd, const char *name, int fd);

/* Calls `each` for every entry of `folder` below `dir_fd` ("." is `dir_fd` itself) except "." and
 * ".."; `each` can remove it. Stops at the first error and returns it. */
typedef enum err store_directory_each_fn(void *ctx, int dir_fd, const char *name);
enum err store_directory_each(int dir_fd, const char *folder, store_directory_each_fn *each,
                              void *ctx);
/* The same with the entry's d_type, DT_UNKNOWN if the file system does not report it. */
typedef enum err store_directory_kind_fn(void *ctx, int dir_fd, const char *name,
                                         unsigned char kind);
enum err store_directory_each_kind(int dir_fd, const char *folder, store_directory_kind_fn *each,
                                   void *ctx);

/* True if `name` in `dir_fd` is the file that `fd` has open. */
bool store_directory_is_same(int dir_fd, const char *name, int fd);

#endif
