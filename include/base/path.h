/* Symbolic links and parent directories of paths. */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* The target of the symbolic link at `path`, relative to the current directory; false if `path` is
 * not a link, or the target does not fit. */
bool path_link_target(char *to, size_t room, const char *path);

/* Resolves symbolic links in the last component of `path`; the final target need not exist yet.
 * ERR_TOO_LARGE; ERR_DENIED for more than eight, as in a loop. */
enum err path_follow(char *to, size_t room, const char *path);

/* The parent directory of `path`: "." for a bare name. ERR_TOO_LARGE. */
enum err path_folder(char *to, size_t room, const char *path);

#endif
