/* Paths that are links. */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

/* Where the link at `path` leads to, seen from where we are; false if there is no link, or its
 * target does not fit. */
bool path_link_target(char *to, size_t room, const char *path);

/* Follows the links at the end of `path`, which may lead to nothing yet: what is made there stands
 * at the end of them all. ERR_TOO_LARGE; ERR_DENIED for more than eight, as in a circle. */
enum err path_follow(char *to, size_t room, const char *path);

/* The folder that `path` is in: "." for a bare name. ERR_TOO_LARGE. */
enum err path_folder(char *to, size_t room, const char *path);

#endif
