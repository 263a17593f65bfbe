/* Files going out: opened once, checked, sized once, and read as long as they are what they were.
 * Any thread; a file is its opener's. */
#ifndef STORE_OUTBOX_OUTBOX_H
#define STORE_OUTBOX_OUTBOX_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

enum {
    OUTBOX_SIZE_MAX = 2147483647, /* the wire's size field is a signed 32 bits */
    OUTBOX_UNSIZED_MAX = 1048576, /* of a file whose size stat does not tell: read into memory */
};

struct outbox_file {
    int fd; /* -1: none */
    uint32_t size_bytes;
    struct stat state; /* when it was opened */
    const char *path;  /* the opener's; outlives the file */
    uint8_t *bytes;    /* a file that was loaded; malloc */
    int error_number;  /* of the read that gave ERR_IO */
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
 * effects. `path` must be absolute (ERR_INVALID). ERR_NOT_REGULAR, ERR_TOO_LARGE (beyond
 * OUTBOX_SIZE_MAX), ERR_NOT_FOUND,
 * ERR_DENIED (also: not below a root), ERR_DESCRIPTORS, ... On failure file->fd is -1. May wait for
 * a disk. Reads nothing. */
enum err outbox_open(struct outbox_file *file, const char *path, uid_t asker);

/* Before the first read: a file that has no blocks may have content all the same, or less than stat
 * says (procfs, sysfs). It is read into memory, and its size is what was read. ERR_UNSIZED: more
 * than OUTBOX_UNSIZED_MAX; else as outbox_read. The file stays open in any case. */
enum err outbox_load(struct outbox_file *file);

/* From then on no change of the file can stay unseen by outbox_read: 0 is now. Wait that long, then
 * ask again. */
uint64_t outbox_settles_in_ms(const struct outbox_file *file);

/* At ease with a closed one. */
void outbox_close(struct outbox_file *file);

/* A sentence for people: names the file, the reason and what to do. */
void outbox_explain(enum err e, const char *path, char *to, size_t room);
/* The same without the name, for where it stands beside: the reason comes first if it is cut. */
void outbox_reason(enum err e, char *to, size_t room);

/* Reads exactly `length` bytes at `offset`. ERR_SHRUNK: the file ends before. ERR_CHANGED: since it
 * was opened somebody wrote to it (base/file_state.h), the bytes may be a mixture. ERR_IO: the read
 * failed, file->error_number says how. */
enum err outbox_read(struct outbox_file *file, uint64_t offset, void *to, size_t length);

/* Why a read failed, for people: no name, fits after a colon. */
void outbox_read_problem(const struct outbox_file *file, enum err e, char *to, size_t room);

#endif
