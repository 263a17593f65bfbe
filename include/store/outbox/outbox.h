/* Outgoing files: opened once, checked, sized once, and read while they stay unmodified. Any
 * thread; a file belongs to its opener. */
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
    OUTBOX_UNSIZED_MAX = 1048576, /* files of unknown size are read into memory */
};

struct outbox_file {
    int fd; /* -1: none */
    uint32_t size_bytes;
    struct stat state; /* when it was opened */
    const char *path;  /* owned by the opener; outlives the file */
    uint8_t *bytes;    /* content of a loaded file; malloc */
    int error_number;  /* of the read that gave ERR_IO */
};

/* Before the threads start, once. From then on only files below one of these directories (comma
 * separated, absolute; "": no restriction) can be opened, and no symbolic link or ".." can lead out
 * of them. */
enum err outbox_set_roots(const char *roots);
/* Adds a directory to the roots, if any are set; its descriptor stays owned by the caller. */
void outbox_add_root(const char *path, int dir_fd);

/* The requester that can send any file the daemon can read: root, and the daemon's own user. */
enum { OUTBOX_DAEMON = 0 };

/* Opens a file for `requester`. Unless that is root or the daemon's user, the file must be owned by
 * them or world-readable, and every directory above it searchable in the same way: control access
 * does not grant the daemon's read permissions (ERR_DENIED). The file type is checked before
 * opening, because opening a device or a FIFO has side effects. `path` must be absolute
 * (ERR_INVALID). ERR_NOT_REGULAR, ERR_TOO_LARGE (beyond OUTBOX_SIZE_MAX), ERR_NOT_FOUND, ERR_DENIED
 * (also: not below a root), ERR_DESCRIPTORS, ... On failure file->fd is -1. Can block on the disk.
 * Reads no data. */
enum err outbox_open(struct outbox_file *file, const char *path, uid_t requester);

/* Before the first read. A file without blocks (procfs, sysfs) can have more or less content than
 * stat reports: it is read into memory, and its size is the number of bytes read. ERR_UNSIZED: more
 * than OUTBOX_UNSIZED_MAX; other errors as outbox_read. The file stays open in any case. */
enum err outbox_load(struct outbox_file *file);

/* Milliseconds until any later modification is sure to be detected by outbox_read; 0: now. Wait
 * that long, then call again. */
uint64_t outbox_settles_in_ms(const struct outbox_file *file);

/* No-op if closed. */
void outbox_close(struct outbox_file *file);

/* Writes a message for users: file name, reason, what to do. */
void outbox_explain(enum err e, const char *path, char *to, size_t room);
/* The same without the name, for output that shows the name separately; starts with the reason, in
 * case it is truncated. */
void outbox_reason(enum err e, char *to, size_t room);

/* Reads exactly `length` bytes at `offset`. ERR_SHRUNK: the file ends before. ERR_CHANGED: the file
 * was modified since it was opened (base/file_state.h), the bytes can be a mixture. ERR_IO: the
 * read failed; errno is in file->error_number. */
enum err outbox_read(struct outbox_file *file, uint64_t offset, void *to, size_t length);

/* Describes a failed read for users, without the file name; fits after a colon. */
void outbox_read_problem(const struct outbox_file *file, enum err e, char *to, size_t room);

#endif
