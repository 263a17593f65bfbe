#include "store/outbox/outbox.h"

#include "base/file_state.h"
#include "base/text.h"
#include "settings/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OPEN_FLAGS = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY };

static enum err check_kind(const struct stat *state)
{
    if (!S_ISREG(state->st_mode))
        return ERR_NOT_REGULAR;
    return state->st_size > OUTBOX_SIZE_MAX ? ERR_TOO_LARGE : ERR_OK;
}

/* Roots. Written before the threads start, read-only afterwards. */

enum { ROOTS_MAX = 64 };

struct root {
    char path[SETTINGS_TEXT_SIZE];
    int fd;
};
static struct root roots[ROOTS_MAX + 1]; /* the last entry is for outbox_add_root */
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

/* The part of `path` relative to the root, NULL if it is not below it. */
static const char *path_below(const struct root *root, const char *path)
{
    size_t length = strcmp(root->path, "/") == 0 ? 0 : strlen(root->path);

    if (strncmp(path, root->path, length) != 0 || path[length] != '/')
        return NULL;
    return path + length + strspn(path + length, "/");
}

/* -1 with errno, as open(2); EXDEV: the path leads out of the root. */
static int open_below_root(const char *path, uint64_t flags)
{
    struct open_how how = {.flags = flags, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};

    for (unsigned i = 0; i < root_count; i++) {
        const char *rest = path_below(&roots[i], path);

        if (rest != NULL && rest[0] != '\0')
            return (int)syscall(SYS_openat2, roots[i].fd, rest, &how, sizeof how);
    }
    errno = EXDEV;
    return -1;
}

static int open_named(const char *path, int flags)
{
    return root_count == 0 ? open(path, flags) : open_below_root(path, (uint64_t)flags);
}

/* Path of a descriptor's own file, even if its name now refers to another file. */
enum { LINK_SIZE = 32 };

static const char *fd_link(char out[LINK_SIZE], int fd)
{
    snprintf(out, LINK_SIZE, "/proc/self/fd/%d", fd);
    return out;
}

/* True if `requester` has the permission bit `own` (a bit of the owner), as owner or as others.
 * Groups are ignored: users with group access upload the file instead. */
static bool is_permitted(const struct stat *st, uid_t requester, mode_t own)
{
    return (st->st_mode & (st->st_uid == requester ? own : own >> 6)) != 0;
}

/* By descriptor, which avoids a race between check and use (TOCTOU). */
static enum err check_requester(int fd, const struct stat *state, uid_t requester)
{
    char link[LINK_SIZE], path[PATH_MAX];
    struct stat st;
    ssize_t length;

    if (requester == OUTBOX_DAEMON || requester == geteuid())
        return ERR_OK;
    if (!is_permitted(state, requester, S_IRUSR))
        return ERR_DENIED;
    length = readlink(fd_link(link, fd), path, sizeof path - 1);
    if (length <= 0 || path[0] != '/')
        return ERR_DENIED;
    path[length] = '\0';
    for (char *slash = strrchr(path, '/'); slash != NULL; slash = strrchr(path, '/')) {
        *slash = '\0';
        if (stat(path[0] == '\0' ? "/" : path, &st) != 0 || !is_permitted(&st, requester, S_IXUSR))
            return ERR_DENIED;
    }
    return ERR_OK;
}

/* Opens the file that was checked: opening a file that is not regular has side effects (rewinds a
 * tape, arms a watchdog, wakes a FIFO's writer). Without /proc it is opened by name again, and must
 * be the same file. */
static enum err open_for_reading(struct outbox_file *file, int path_fd, const struct stat *seen)
{
    char link[LINK_SIZE];

    file->fd = open(fd_link(link, path_fd), OPEN_FLAGS);
    if (file->fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        file->fd = open_named(file->path, OPEN_FLAGS);
    if (file->fd < 0 || fstat(file->fd, &file->state) != 0)
        return err_from_errno(errno);
    if (file->state.st_dev != seen->st_dev || file->state.st_ino != seen->st_ino)
        return ERR_CHANGED;
    file->size_bytes = (uint32_t)file->state.st_size;
    return check_kind(&file->state);
}

enum err outbox_open(struct outbox_file *file, const char *path, uid_t requester)
{
    struct stat state;
    enum err e;
    int path_fd;

    *file = (struct outbox_file){.fd = -1, .path = path};
    if (path[0] != '/')
        return ERR_INVALID;
    path_fd = open_named(path, O_PATH | O_CLOEXEC);
    if (path_fd < 0)
        return errno == EXDEV ? ERR_DENIED : err_from_errno(errno);
    e = fstat(path_fd, &state) != 0 ? err_from_errno(errno)
                                    : check_requester(path_fd, &state, requester);
    if (e == ERR_OK)
        e = check_kind(&state);
    if (e == ERR_OK)
        e = open_for_reading(file, path_fd, &state);
    close(path_fd);
    if (e != ERR_OK)
        outbox_close(file);
    return e;
}

void outbox_close(struct outbox_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    free(file->bytes);
    *file = (struct outbox_file){.fd = -1};
}

static const char *error_sentence(enum err e)
{
    switch (e) {
    case ERR_INVALID:
        return "the path must be absolute: begin it with '/'";
    case ERR_NOT_FOUND:
        return "no such file: check the path";
    case ERR_DENIED:
        return root_count == 0
                   ? "no read permission for the daemon or for you: grant both read permission for "
                     "the file and search permission for the folders above it"
                   : "no read permission for the daemon or for you: it must be below one of "
                     "[outbox] roots, and both need read permission for it and search permission "
                     "for the folders above it";
    case ERR_NOT_REGULAR:
        return "it is not a regular file: folders, pipes and devices cannot be sent; create an "
               "archive and send that";
    case ERR_TOO_LARGE:
        return "it is larger than 2,147,483,647 bytes, which the protocol cannot carry: split it";
    case ERR_SHRUNK:
        return "it was truncated while it was sent: send it again when it is no longer written to";
    case ERR_CHANGED:
        return "it changed while it was sent: send it again when it is no longer written to, or "
               "send a copy";
    case ERR_UNSIZED:
        return "its size is not known in advance, and it has more than 1 MiB: send a copy";
    case ERR_DESCRIPTORS:
        return "the daemon has too many open files: send fewer at a time or raise its limit "
               "(LimitNOFILE)";
    case ERR_IO:
        return "reading it failed: check the disk (see the kernel log)";
    default:
        return NULL;
    }
}

void outbox_explain(enum err e, const char *path, char *to, size_t room)
{
    const char *what = error_sentence(e);
    char shown[256], text[160];

    if (what == NULL) {
        snprintf(text, sizeof text, "%s: try again, see the daemon's log", err_text(e));
        what = text;
    }
    text_escape(shown, sizeof shown, path, strnlen(path, sizeof shown), false);
    snprintf(to, room, "cannot send %s: %s", shown, what);
}

void outbox_reason(enum err e, char *to, size_t room)
{
    const char *what = error_sentence(e);

    snprintf(to, room, "%s", what == NULL ? err_text(e) : what);
}

void outbox_read_problem(const struct outbox_file *file, enum err e, char *to, size_t room)
{
    if (e == ERR_IO)
        snprintf(to, room, "reading the file failed: %s", strerror(file->error_number));
    else
        snprintf(to, room, "%s", err_text(e));
}

/* A read error is always ERR_IO, so that it is not mistaken for an error of the socket. */
static enum err read_failed(struct outbox_file *file)
{
    file->error_number = errno;
    return ERR_IO;
}

/* The kernel updates the times before the data (write(2), ftruncate(2)): a modification that began
 * before the read ended is detected after it. */
static enum err check_same(struct outbox_file *file)
{
    struct stat now;

    if (fstat(file->fd, &now) != 0)
        return read_failed(file);
    if (!file_state_is_same(&file->state, &now, file->path))
        return ERR_CHANGED;
    file->state = now;
    return ERR_OK;
}

/* Less than `length`: end of file. -1 with errno. */
static ssize_t read_up_to(int fd, uint64_t offset, uint8_t *to, size_t length)
{
    size_t done = 0;

    while (done < length) {
        ssize_t count = pread(fd, to + done, length - done, (off_t)(offset + done));

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -1;
        if (count == 0)
            break;
        done += (size_t)count;
    }
    return (ssize_t)done;
}

uint64_t outbox_settles_in_ms(const struct outbox_file *file)
{
    return file->bytes != NULL ? 0 : file_state_settles_in_ms(&file->state, file_state_clock());
}

/* Reads all of it; the buffer has one byte more than the limit. */
static enum err load_all(struct outbox_file *file)
{
    size_t room = 4096, length = 0;

    for (;;) {
        uint8_t *grown = realloc(file->bytes, room);
        ssize_t count;

        if (grown == NULL)
            return ERR_NO_MEMORY;
        file->bytes = grown;
        if ((count = read_up_to(file->fd, length, file->bytes + length, room - length)) < 0)
            return read_failed(file);
        length += (size_t)count;
        if (length > OUTBOX_UNSIZED_MAX)
            return ERR_UNSIZED;
        if (length < room)
            break;
        room = room * 4 > OUTBOX_UNSIZED_MAX ? OUTBOX_UNSIZED_MAX + 1 : room * 4;
    }
    file->size_bytes = (uint32_t)length;
    return check_same(file);
}

enum err outbox_load(struct outbox_file *file)
{
    if (file->state.st_blocks > 0 || file->state.st_size > OUTBOX_UNSIZED_MAX)
        return ERR_OK;
    return load_all(file);
}

enum err outbox_read(struct outbox_file *file, uint64_t offset, void *to, size_t length)
{
    ssize_t count;

    if (file->bytes != NULL) {
        memcpy(to, file->bytes + offset, length);
        return ERR_OK;
    }
    if ((count = read_up_to(file->fd, offset, to, length)) < 0)
        return read_failed(file);
    return (size_t)count < length ? ERR_SHRUNK : check_same(file);
}
