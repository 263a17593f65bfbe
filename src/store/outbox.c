#include "store/outbox.h"

#include "base/contract.h"
#include "base/text.h"
#include "settings/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* sendfile(2) moves no more at a time, and a worker should not stay longer in one call anyway. */
enum { SEND_MOST = 0x7ffff000 };

/* What kind of thing it is, and its size: the one time that we look. */
static enum err check(struct outbox_file *file)
{
    struct stat st;

    if (fstat(file->fd, &st) != 0)
        return err_from_errno(errno);
    if (!S_ISREG(st.st_mode))
        return ERR_NOT_REGULAR;
    if (st.st_size > OUTBOX_SIZE_MAX)
        return ERR_TOO_LARGE;
    file->size_bytes = (uint32_t)st.st_size;
    return ERR_OK;
}

/* Roots. Written before the threads start, only read by them. */

enum { ROOTS_MAX = 64 };

struct root {
    char path[SETTINGS_TEXT_SIZE];
    int fd;
};
static struct root roots[ROOTS_MAX + 1]; /* the last is for outbox_add_root */
static unsigned root_count;

static enum err add_root(const char *path, int fd)
{
    if (root_count > ROOTS_MAX)
        return ERR_FULL;
    roots[root_count].fd = fd;
    return text_copy(roots[root_count++].path, SETTINGS_TEXT_SIZE, path);
}

enum err outbox_set_roots(const char *list)
{
    char path[SETTINGS_TEXT_SIZE];
    enum err e = ERR_OK;

    while (e == ERR_OK && settings_next_root(&list, path)) {
        int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

        e = fd < 0                    ? err_from_errno(errno)
            : root_count == ROOTS_MAX ? ERR_FULL
                                      : add_root(path, fd);
    }
    return e;
}

void outbox_add_root(const char *path, int dir_fd)
{
    if (root_count > 0)
        add_root(path, dir_fd);
}

/* What stands in `path` behind the root, NULL if it does not lie below it. */
static const char *below(const struct root *root, const char *path)
{
    size_t length = strcmp(root->path, "/") == 0 ? 0 : strlen(root->path);

    if (strncmp(path, root->path, length) != 0 || path[length] != '/')
        return NULL;
    return path + length + strspn(path + length, "/");
}

enum { OPEN_FLAGS = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY };

/* Finds what the path names without opening it. -1 with errno, as open(2); EXDEV: the kernel says
 * that the path leads out of the root. */
static int find_below(const char *path, int flags)
{
    struct open_how how = {.flags = (unsigned)flags,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};

    for (unsigned i = 0; i < root_count; i++) {
        const char *rest = below(&roots[i], path);

        if (rest != NULL && rest[0] != '\0')
            return (int)syscall(SYS_openat2, roots[i].fd, rest, &how, sizeof how);
    }
    errno = EXDEV;
    return -1;
}

/* May that user do what `own` is for the owner, and the same bit is for everybody? Groups are left
 * out: who is let in by one of them streams the file. */
static bool may(const struct stat *st, uid_t asker, mode_t own)
{
    return (st->st_mode & (st->st_uid == asker ? own : own >> 6)) != 0;
}

/* The way to a descriptor's own file, whatever stands at its path by now. */
enum { LINK_SIZE = 32 };
static const char *link_of(char out[LINK_SIZE], int fd)
{
    snprintf(out, LINK_SIZE, "/proc/self/fd/%d", fd);
    return out;
}

/* Looked at by the descriptor, so that nobody exchanges the file in between. */
static enum err check_asker(const struct outbox_file *file, uid_t asker)
{
    char link[LINK_SIZE], path[PATH_MAX];
    struct stat st;
    ssize_t length;

    if (asker == OUTBOX_DAEMON || asker == geteuid())
        return ERR_OK;
    if (fstat(file->fd, &st) != 0 || !may(&st, asker, S_IRUSR))
        return ERR_DENIED;
    length = readlink(link_of(link, file->fd), path, sizeof path - 1);
    if (length <= 0 || path[0] != '/')
        return ERR_DENIED;
    path[length] = '\0';
    for (char *slash = strrchr(path, '/'); slash != NULL; slash = strrchr(path, '/')) {
        *slash = '\0';
        if (stat(path[0] == '\0' ? "/" : path, &st) != 0 || !may(&st, asker, S_IXUSR))
            return ERR_DENIED;
    }
    return ERR_OK;
}

static int find(const char *path, int flags)
{
    return root_count == 0 ? open(path, flags) : find_below(path, flags);
}

/* By the path once more; -1 with errno, ENOENT for another file than was found. */
static int open_without_proc(const struct outbox_file *file, const char *path)
{
    int fd = find(path, OPEN_FLAGS);
    struct stat found, opened;

    if (fd < 0 || (fstat(file->fd, &found) == 0 && fstat(fd, &opened) == 0 &&
                   found.st_dev == opened.st_dev && found.st_ino == opened.st_ino))
        return fd;
    close(fd);
    errno = ENOENT;
    return -1;
}

/* Opens what was found and checked. Opening is not harmless for what is no regular file: a tape
 * rewinds, a watchdog or a FIFO's writer wakes up. */
static enum err open_found(struct outbox_file *file, const char *path)
{
    char link[LINK_SIZE];
    int fd = open(link_of(link, file->fd), OPEN_FLAGS);
    enum err e;

    if (fd < 0 && errno == ENOENT)
        fd = open_without_proc(file, path);
    e = fd < 0 ? err_from_errno(errno) : ERR_OK;
    close(file->fd);
    file->fd = fd;
    return e;
}

enum err outbox_open(struct outbox_file *file, const char *path, uid_t asker)
{
    enum err e;

    *file = (struct outbox_file){.fd = -1};
    if (path[0] != '/')
        return ERR_INVALID;
    file->fd = find(path, O_PATH | O_CLOEXEC);
    if (file->fd < 0)
        return errno == EXDEV ? ERR_DENIED : err_from_errno(errno);
    e = check_asker(file, asker);
    if (e == ERR_OK)
        e = check(file);
    if (e == ERR_OK)
        e = open_found(file, path);
    if (e != ERR_OK)
        outbox_close(file);
    return e;
}

void outbox_close(struct outbox_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    *file = (struct outbox_file){.fd = -1};
}

static const char *advice(enum err e)
{
    switch (e) {
    case ERR_INVALID:
        return "the path must be absolute: begin it with '/'";
    case ERR_NOT_FOUND:
        return "there is no such file: check the path";
    case ERR_DENIED:
        return root_count == 0
                   ? "the daemon may not read it, or you may not: give both the right to read the "
                     "file and to enter the folders above it"
                   : "the daemon may not read it, or you may not: it has to lie below one of "
                     "[outbox] roots, and both need the right to read it and to enter the folders "
                     "above it";
    case ERR_NOT_REGULAR:
        return "it is not a regular file: a folder, a pipe or a device cannot be sent, pack it "
               "into a file first";
    case ERR_TOO_LARGE:
        return "it is larger than 2,147,483,647 bytes, which the protocol cannot carry: split it";
    case ERR_SHRUNK:
        return "it became shorter while it was sent: send it again when nobody writes to it";
    case ERR_DESCRIPTORS:
        return "the daemon has too many files open: send fewer at once or raise its limit "
               "(LimitNOFILE)";
    case ERR_IO:
        return "reading it failed: check the disk (the kernel's log says more)";
    default:
        return NULL;
    }
}

void outbox_explain(enum err e, const char *path, char *to, size_t room)
{
    const char *what = advice(e);
    char shown[256];

    text_escape(shown, sizeof shown, path, strnlen(path, sizeof shown), false);
    if (what != NULL)
        snprintf(to, room, "cannot send %s: %s", shown, what);
    else
        snprintf(to, room, "cannot send %s: %s: try again, the daemon's log may say more", shown,
                 err_text(e));
}

/* Which side refused: sendfile has one errno for both. The file only knows these. */
static bool is_of_file(int error_number)
{
    switch (error_number) {
    case EIO:
    case EINVAL:
    case EOVERFLOW:
    case ESPIPE:
    case ESTALE:
    case EBADF:
        return true;
    default:
        return false;
    }
}

enum err outbox_send(const struct outbox_file *file, uint64_t offset, size_t most, int socket,
                     size_t *sent, bool *is_socket)
{
    off_t at = (off_t)offset;
    ssize_t count;

    CONTRACT(most > 0); /* else an end of the file could not be told from nothing asked */
    *sent = 0;
    *is_socket = false;
    do
        count = sendfile(socket, file->fd, &at, most < SEND_MOST ? most : SEND_MOST);
    while (count < 0 && errno == EINTR);
    if (count > 0) {
        *sent = (size_t)count;
        return ERR_OK;
    }
    if (count == 0)
        return ERR_SHRUNK;
    *is_socket = errno != EAGAIN && !is_of_file(errno);
    return err_from_errno(errno);
}

enum err outbox_read(const struct outbox_file *file, uint64_t offset, void *to, size_t length)
{
    uint8_t *at = to;

    while (length > 0) {
        ssize_t count = pread(file->fd, at, length, (off_t)offset);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return err_from_errno(errno);
        if (count == 0)
            return ERR_SHRUNK;
        at += count;
        offset += (uint64_t)count;
        length -= (size_t)count;
    }
    return ERR_OK;
}
