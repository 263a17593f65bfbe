/* The listening socket of an HTTP server. */
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
    dev_t device; /* of the file that was created: only that one is removed */
    ino_t inode;
};
/* Creates a Unix socket with `group` ("": the process's own) and `mode`, and its folder, if that is
 * missing, with matching access. On failure `problem` is a sentence. */
enum err http_bind_open(struct http_bind *out, const char *path, const char *group, unsigned mode,
                        char *problem, size_t room);
/* Listens on a TCP address instead. */
enum err http_bind_open_tcp(struct http_bind *out, const struct address *address, char *problem,
                            size_t room);
/* True if the path still names the file that was created. */
bool http_bind_exists(const struct http_bind *s);
void http_bind_close(struct http_bind *s);

#endif
