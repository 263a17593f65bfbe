/* The socket that an HTTP server listens at. */
#ifndef HTTP_BIND_H
#define HTTP_BIND_H

#include "base/address.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct control_socket {
    int fd;
    char path[108];
    dev_t device; /* of the file that we made: another's is not ours to remove */
    ino_t inode;
};
/* The file belongs to `group` ("": our own) and has `mode`; a folder that has to be made for it
 * lets the same people in. */
enum err control_socket_open(struct control_socket *out, const char *path, const char *group,
                             unsigned mode, char *problem, size_t room);
/* A TCP address instead: a socket without a file. */
enum err control_socket_open_tcp(struct control_socket *out, const struct address *address,
                                 char *problem, size_t room);
/* Its file still stands at its path, and is the one that was made. */
bool control_socket_is_there(const struct control_socket *s);
void control_socket_close(struct control_socket *s);

#endif
