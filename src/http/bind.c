#include "http/bind.h"

#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Holds a burst of commands: if it is full, connect(2) fails and the client reports a dead daemon.
 */
enum { BACKLOG = 1024 };

/* Group and mode of the socket. */
struct access {
    bool has_group;
    gid_t group;
    mode_t mode;
};

static enum err find_access(struct access *out, const char *group, unsigned mode, char *problem,
                            size_t room)
{
    const struct group *entry = group[0] == '\0' ? NULL : getgrnam(group);

    *out = (struct access){.has_group = entry != NULL,
                           .group = entry == NULL ? 0 : entry->gr_gid,
                           .mode = (mode_t)mode};
    if (group[0] == '\0' || entry != NULL)
        return ERR_OK;
    snprintf(problem, room,
             "cannot set the group of the control socket: unknown group '%s'; create it, or change "
             "[control] group",
             group);
    return ERR_NOT_FOUND;
}

/* Lets every user with write permission for the socket traverse its folder. */
static void set_folder_access(const char *folder, const struct access *access)
{
    mode_t mode =
        0700 | ((access->mode & 0020) != 0 ? 0010 : 0) | ((access->mode & 0002) != 0 ? 0001 : 0);

    if (access->has_group && lchown(folder, (uid_t)-1, access->group) != 0)
        log_warning("cannot change the group of the control socket's folder %s: %s", folder,
                    strerror(errno));
    else if (mode != 0700)
        chmod(folder, mode);
}

static enum err create_folder(const char *path, const struct access *access, char *problem,
                              size_t room)
{
    char folder[sizeof((struct sockaddr_un *)0)->sun_path];
    char *slash;

    if (text_copy(folder, sizeof folder, path) != ERR_OK || (slash = strrchr(folder, '/')) == NULL)
        return ERR_OK;
    *slash = '\0';
    if (folder[0] == '\0')
        return ERR_OK;
    if (mkdir(folder, 0700) == 0) {
        set_folder_access(folder, access);
        return ERR_OK;
    }
    if (errno == EEXIST)
        return ERR_OK;
    snprintf(problem, room,
             "cannot create the folder %s of the control socket: %s; create it, or set [control] "
             "socket to a path in a writable folder",
             folder, strerror(errno));
    return err_from_errno(errno);
}

/* ERR_OK: the path is free, or was a stale socket, which is removed. ERR_BUSY: a process listens on
 * it. ERR_EXISTS: it is not a socket. */
static enum err remove_stale_socket(const struct sockaddr_un *at, char *problem, size_t room)
{
    struct stat st;
    int fd, refused;

    if (lstat(at->sun_path, &st) != 0)
        return ERR_OK; /* other errors are reported by bind(2) */
    if (!S_ISSOCK(st.st_mode)) {
        snprintf(problem, room,
                 "cannot create the control socket: %s exists and is not a socket; remove it or "
                 "set [control] socket to another path",
                 at->sun_path);
        return ERR_EXISTS;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_from_errno(errno);
    refused = connect(fd, (const struct sockaddr *)at, sizeof *at) != 0 && errno == ECONNREFUSED;
    close(fd);
    if (!refused) {
        snprintf(problem, room,
                 "the control socket %s is in use by another dustwired; stop that one or set "
                 "[control] socket to another path",
                 at->sun_path);
        return ERR_BUSY;
    }
    unlink(at->sun_path);
    return ERR_OK;
}

/* The file never has a wider mode than requested: the mode is set before bind, and the access is
 * final before listen, so no other user can connect in between. */
static bool bind_file(int fd, const struct sockaddr_un *at, const struct access *access)
{
    return fchmod(fd, 0600) == 0 && bind(fd, (const struct sockaddr *)at, sizeof *at) == 0 &&
           (!access->has_group || lchown(at->sun_path, (uid_t)-1, access->group) == 0) &&
           (access->mode == 0600 || chmod(at->sun_path, access->mode) == 0);
}

enum err http_bind_open(struct http_bind *out, const char *path, const char *group, unsigned mode,
                        char *problem, size_t room)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct access access;
    struct stat st;
    enum err e;

    *out = (struct http_bind){.fd = -1};
    if (path[0] == '\0' || text_copy(at.sun_path, sizeof at.sun_path, path) != ERR_OK) {
        snprintf(problem, room,
                 "invalid control socket path '%s': expected 1 to %zu bytes, got %zu; set "
                 "[control] socket to a shorter one",
                 path, sizeof at.sun_path - 1, strlen(path));
        return ERR_TOO_LARGE;
    }
    if ((e = find_access(&access, group, mode, problem, room)) != ERR_OK ||
        (e = create_folder(path, &access, problem, room)) != ERR_OK)
        return e;
    if ((e = remove_stale_socket(&at, problem, room)) != ERR_OK)
        return e;
    out->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (out->fd < 0 || !bind_file(out->fd, &at, &access) || listen(out->fd, BACKLOG) != 0 ||
        lstat(path, &st) != 0) {
        e = err_from_errno(errno);
        snprintf(problem, room, "cannot open the control socket %s: %s; %s", path, strerror(errno),
                 err_advice(e, "check its folder, or set [control] socket to another path"));
        if (out->fd >= 0)
            close(out->fd);
        out->fd = -1;
        return e;
    }
    out->device = st.st_dev;
    out->inode = st.st_ino;
    return text_copy(out->path, sizeof out->path, path);
}

enum err http_bind_open_tcp(struct http_bind *out, const struct address *address, char *problem,
                            size_t room)
{
    char text[ADDRESS_TEXT_SIZE];
    struct sockaddr_storage at;
    socklen_t length = address_to_sockaddr(address, &at);
    int one = 1;
    enum err e;

    *out = (struct http_bind){
        .fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (out->fd >= 0 && setsockopt(out->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 &&
        bind(out->fd, (const struct sockaddr *)&at, length) == 0 && listen(out->fd, BACKLOG) == 0)
        return ERR_OK;
    e = err_from_errno(errno);
    snprintf(problem, room,
             "the control server cannot listen on %s: %s; free that port, or set [control] listen "
             "to another address",
             address_text(text, address), strerror(errno));
    http_bind_close(out);
    return e;
}

bool http_bind_exists(const struct http_bind *s)
{
    struct stat st;

    return lstat(s->path, &st) == 0 && st.st_dev == s->device && st.st_ino == s->inode;
}

void http_bind_close(struct http_bind *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    if (s->path[0] != '\0' && http_bind_exists(s))
        unlink(s->path);
    s->path[0] = '\0';
}
