/* Files going out: opened once, checked, sized once. Any thread; a file is its opener's. */
#ifndef STORE_OUTBOX_H
#define STORE_OUTBOX_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { OUTBOX_SIZE_MAX = 2147483647 }; /* the wire's size field is a signed 32 bits */

struct outbox_file {
    int fd; /* -1: none */
    uint32_t size_bytes;
};

/* Before the threads start, once: from then on only files below one of these folders (comma
 * separated, absolute; "": anywhere) are opened, never by a link or a ".." that leads out of it. */
enum err outbox_set_roots(const char *roots);
/* Adds one folder to the roots, if there are any; its descriptor stays the caller's. */
void outbox_add_root(const char *path, int dir_fd);

/* Who may have anything that the daemon can read: root, and this process's own user. */
enum { OUTBOX_DAEMON = 0 };

/* For another `asker` the file has to be their own, or readable by everybody, and so with every
 * folder above it: what the daemon can read is not for everybody who can ask it (ERR_DENIED).
 * What is no regular file is found out before it is opened, since opening a device or a FIFO has
 * effects; needs /proc. `path` must be absolute
 * (ERR_INVALID). ERR_NOT_REGULAR, ERR_TOO_LARGE (beyond OUTBOX_SIZE_MAX), ERR_NOT_FOUND,
 * ERR_DENIED (also: not below a root), ERR_DESCRIPTORS, ... On failure file->fd is -1. May wait for
 * a disk. */
enum err outbox_open(struct outbox_file *file, const char *path, uid_t asker);

/* At ease with a closed one. */
void outbox_close(struct outbox_file *file);

/* A sentence for people: names the file, the reason and what to do. */
void outbox_explain(enum err e, const char *path, char *to, size_t room);

/* sendfile(2) from `offset`, at most `most` bytes, to a socket. `*sent` is what went. ERR_OK with
 * *sent > 0; ERR_AGAIN: the socket takes no more now; ERR_SHRUNK: the file ends before `offset +
 * 1`; ERR_IO and others from reading the file; ERR_CLOSED, ERR_RESET, ... from the socket (then
 * `*is_socket` is true). */
enum err outbox_send(const struct outbox_file *file, uint64_t offset, size_t most, int socket,
                     size_t *sent, bool *is_socket);

/* Reads exactly `length` bytes at `offset`; ERR_SHRUNK if the file ends before. */
enum err outbox_read(const struct outbox_file *file, uint64_t offset, void *to, size_t length);

#endif
