/* Opens a directory component by component, each relative to the one before, so that the owner of
 * every symbolic link is checked and nothing can be exchanged between the check and the step.
 * openat2(2) can refuse all links but not only some, and a /var/run that is a link of root's is
 * safe. */
#include "store/directory.h"

#include "base/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINKS_MAX = 40 };

struct walk {
    int fd; /* O_PATH, current directory */
    unsigned links;
    char *why;
    size_t room;
};

static enum err fail(struct walk *w, const char *part, int error_number, const char *text)
{
    snprintf(w->why, w->room, "path component %s %s%s%s", part, text, error_number == 0 ? "" : ": ",
             error_number == 0 ? "" : strerror(error_number));
    return error_number == 0 ? ERR_DENIED : err_from_errno(error_number);
}

static enum err step(struct walk *w, int fd)
{
    if (fd < 0)
        return fail(w, "/", errno, "cannot be entered");
    if (w->fd >= 0)
        close(w->fd);
    w->fd = fd;
    return ERR_OK;
}

/* A new directory is durable only when its parent is synced. */
static void sync_here(const struct walk *w)
{
    int fd = openat(w->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

static enum err walk_path(struct walk *w, const char *path);

static bool is_trusted(const struct stat *link)
{
    return link->st_uid == 0 || link->st_uid == geteuid();
}

/* By descriptor: the link that is read is the link that was checked. */
static enum err follow(struct walk *w, const char *part)
{
    char target[PATH_MAX];
    struct stat status;
    ssize_t length;
    int link = openat(w->fd, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    if (link < 0 || fstat(link, &status) != 0) {
        int error_number = errno;

        if (link >= 0)
            close(link);
        return fail(w, part, error_number, "cannot be entered");
    }
    length = readlinkat(link, "", target, sizeof target - 1);
    close(link);
    if (!S_ISLNK(status.st_mode) || length <= 0)
        return fail(w, part, ENOTDIR, "cannot be entered");
    if (!is_trusted(&status))
        return fail(w, part, 0, "is a symbolic link owned by another user, which is not followed");
    if (++w->links > LINKS_MAX)
        return fail(w, part, ELOOP, "cannot be entered");
    target[length] = '\0';
    return walk_path(w, target);
}

static enum err enter(struct walk *w, const char *part)
{
    enum { FLAGS = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
    int fd = openat(w->fd, part, FLAGS);

    if (fd < 0 && errno == ENOENT) {
        if (mkdirat(w->fd, part, 0700) == 0)
            sync_here(w);
        else if (errno != EEXIST)
            return fail(w, part, errno, "cannot be created");
        fd = openat(w->fd, part, FLAGS);
    }
    if (fd >= 0)
        return step(w, fd);
    if (errno == ENOTDIR || errno == ELOOP)
        return follow(w, part);
    return fail(w, part, errno, "cannot be entered");
}

static enum err walk_path(struct walk *w, const char *path)
{
    char part[NAME_MAX + 1];
    enum err e = ERR_OK;

    if (path[0] == '/')
        e = step(w, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    while (e == ERR_OK && *(path += strspn(path, "/")) != '\0') {
        size_t length = strcspn(path, "/");

        if (length >= sizeof part)
            return fail(w, "(too long)", ENAMETOOLONG, "cannot be entered");
        memcpy(part, path, length);
        part[length] = '\0';
        path += length;
        e = enter(w, part);
    }
    return e;
}

enum err store_directory_open(int *out, const char *path, char *why, size_t room)
{
    struct walk w = {.fd = -1, .why = why, .room = room};
    enum err e = path[0] == '/' ? ERR_OK : step(&w, open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));

    *out = -1;
    if (e == ERR_OK)
        e = walk_path(&w, path);
    if (e == ERR_OK && (*out = openat(w.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0) {
        e = err_from_errno(errno);
        snprintf(why, room, "it cannot be opened: %s", strerror(errno));
    }
    if (w.fd >= 0)
        close(w.fd);
    return e;
}

int store_directory_ensure(int dir_fd, const char *name)
{
    if (mkdirat(dir_fd, name, 0700) == 0)
        fsync(dir_fd);
    else if (errno != EEXIST)
        return -1;
    return openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int store_directory_recreate(int dir_fd, const char *name, int fd)
{
    int made = store_directory_ensure(dir_fd, name);
    int error_number = made < 0 || dup3(made, fd, O_CLOEXEC) < 0 ? errno : 0;

    if (made >= 0)
        close(made);
    return error_number;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

enum err store_directory_each_kind(int dir_fd, const char *folder, store_directory_kind_fn *each,
                                   void *ctx)
{
    int fd = openat(dir_fd, folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    enum err e = ERR_OK;

    if (dir == NULL) {
        e = err_from_errno(errno);
        if (fd >= 0)
            close(fd);
        return e;
    }
    for (errno = 0; e == ERR_OK && (entry = readdir(dir)) != NULL; errno = 0)
        if (!is_dots(entry->d_name))
            e = each(ctx, fd, entry->d_name, entry->d_type);
    if (e == ERR_OK)
        e = err_from_errno(errno);
    closedir(dir);
    return e;
}

struct by_name {
    store_directory_each_fn *each;
    void *ctx;
};

static enum err drop_kind(void *ctx, int dir_fd, const char *name, unsigned char kind)
{
    const struct by_name *by_name = ctx;

    (void)kind;
    return by_name->each(by_name->ctx, dir_fd, name);
}

enum err store_directory_each(int dir_fd, const char *folder, store_directory_each_fn *each,
                              void *ctx)
{
    struct by_name by_name = {each, ctx};

    return store_directory_each_kind(dir_fd, folder, drop_kind, &by_name);
}

bool store_directory_is_same(int dir_fd, const char *name, int fd)
{
    struct stat named, ours;

    return fstatat(dir_fd, name, &named, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &ours) == 0 &&
           named.st_dev == ours.st_dev && named.st_ino == ours.st_ino;
}
