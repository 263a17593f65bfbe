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

/* -1 with errno, as open(2); EXDEV: the kernel says that the path leads out of the root. */
static int open_below(const char *path, uint64_t flags)
{
    struct open_how how = {.flags = flags, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};

    for (unsigned i = 0; i < root_count; i++) {
        const char *rest = below(&roots[i], path);

        if (rest != NULL && rest[0] != '\0')
            return (int)syscall(SYS_openat2, roots[i].fd, rest, &how, sizeof how);
    }
    errno = EXDEV;
    return -1;
}

static int open_named(const char *path, int flags)
{
    return root_count == 0 ? open(path, flags) : open_below(path, (uint64_t)flags);
}

/* The way to a descriptor's own file, whatever stands at its path by now. */
enum { LINK_SIZE = 32 };

static const char *link_of(char out[LINK_SIZE], int fd)
{
    snprintf(out, LINK_SIZE, "/proc/self/fd/%d", fd);
    return out;
}

/* May that user do what `own` is for the owner, and the same bit is for everybody? Groups are left
 * out: who is let in by one of them streams the file. */
static bool may(const struct stat *st, uid_t asker, mode_t own)
{
    return (st->st_mode & (st->st_uid == asker ? own : own >> 6)) != 0;
}

/* Looked at by the descriptor, so that nobody exchanges the file in between. */
static enum err check_asker(int fd, const struct stat *state, uid_t asker)
{
    char link[LINK_SIZE], path[PATH_MAX];
    struct stat st;
    ssize_t length;

    if (asker == OUTBOX_DAEMON || asker == geteuid())
        return ERR_OK;
    if (!may(state, asker, S_IRUSR))
        return ERR_DENIED;
    length = readlink(link_of(link, fd), path, sizeof path - 1);
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

/* Opens what was found and checked: opening is not harmless for what is no regular file (a tape
 * rewinds, a watchdog or a FIFO's writer wakes up). Without /proc it is found by name once more,
 * and must be the same. */
static enum err open_for_reading(struct outbox_file *file, int place, const struct stat *seen)
{
    char link[LINK_SIZE];

    file->fd = open(link_of(link, place), OPEN_FLAGS);
    if (file->fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        file->fd = open_named(file->path, OPEN_FLAGS);
    if (file->fd < 0 || fstat(file->fd, &file->state) != 0)
        return err_from_errno(errno);
    if (file->state.st_dev != seen->st_dev || file->state.st_ino != seen->st_ino)
        return ERR_CHANGED;
    file->size_bytes = (uint32_t)file->state.st_size;
    return check_kind(&file->state);
}

enum err outbox_open(struct outbox_file *file, const char *path, uid_t asker)
{
    struct stat state;
    enum err e;
    int place;

    *file = (struct outbox_file){.fd = -1, .path = path};
    if (path[0] != '/')
        return ERR_INVALID;
    place = open_named(path, O_PATH | O_CLOEXEC);
    if (place < 0)
        return errno == EXDEV ? ERR_DENIED : err_from_errno(errno);
    e = fstat(place, &state) != 0 ? err_from_errno(errno) : check_asker(place, &state, asker);
    if (e == ERR_OK)
        e = check_kind(&state);
    if (e == ERR_OK)
        e = open_for_reading(file, place, &state);
    close(place);
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
    case ERR_CHANGED:
        return "it changed meanwhile: send it again when nobody writes to it, or a copy of it";
    case ERR_UNSIZED:
        return "its size is not known in advance, and it has more than 1 MiB: send a copy of it";
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
    char shown[256], text[160];

    if (what == NULL) {
        snprintf(text, sizeof text, "%s: try again, the daemon's log may say more", err_text(e));
        what = text;
    }
    text_escape(shown, sizeof shown, path, strnlen(path, sizeof shown), false);
    snprintf(to, room, "cannot send %s: %s", shown, what);
}

void outbox_reason(enum err e, char *to, size_t room)
{
    const char *what = advice(e);

    snprintf(to, room, "%s", what == NULL ? err_text(e) : what);
}

void outbox_read_problem(const struct outbox_file *file, enum err e, char *to, size_t room)
{
    if (e == ERR_IO)
        snprintf(to, room, "reading the file failed: %s", strerror(file->error_number));
    else
        snprintf(to, room, "%s", err_text(e));
}

/* Whatever the reading gave: nobody else's, so never the socket's. */
static enum err read_failed(struct outbox_file *file)
{
    file->error_number = errno;
    return ERR_IO;
}

/* The times move before the bytes do (write(2), ftruncate(2)): a change that began before the read
 * was through is seen after it. */
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

/* Fewer than `length`: the file ended. -1 with errno. */
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

/* All of it, with room for a byte more than may be. */
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
