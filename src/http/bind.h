/* The socket that an HTTP server listens at. */
#ifndef HTTP_BIND_H
#define HTTP_BIND_H

#include "base/address.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct http_bind {
    int fd;
    char path[108];
    dev_t device; /* of the file that we made: another's is not ours to remove */
    ino_t inode;
};
/* The file belongs to `group` ("": our own) and has `mode`; a folder that has to be made for it
 * lets the same people in. */
enum err http_bind_open(struct http_bind *out, const char *path, const char *group, unsigned mode,
                        char *problem, size_t room);
/* A TCP address instead: a socket without a file. */
enum err http_bind_open_tcp(struct http_bind *out, const struct address *address, char *problem,
                            size_t room);
/* Its file still stands at its path, and is the one that was made. */
bool http_bind_is_there(const struct http_bind *s);
void http_bind_close(struct http_bind *s);

#endif
