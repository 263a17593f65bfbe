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

/* A burst of commands waits in it: a client that finds it full takes the daemon for gone. */
enum { BACKLOG = 1024 };

/* Who may use the socket. */
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
             "the control socket cannot have the group '%s': there is none of that name; make it, "
             "or set [control] group to another",
             group);
    return ERR_NOT_FOUND;
}

/* Who may write to the socket has to reach it. */
static void open_folder(const char *folder, const struct access *access)
{
    mode_t mode =
        0700 | ((access->mode & 0020) != 0 ? 0010 : 0) | ((access->mode & 0002) != 0 ? 0001 : 0);

    if (access->has_group && lchown(folder, (uid_t)-1, access->group) != 0)
        log_warning("the folder %s of the control socket keeps its group: %s", folder,
                    strerror(errno));
    else if (mode != 0700)
        chmod(folder, mode);
}

static enum err make_folder(const char *path, const struct access *access, char *problem,
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
        open_folder(folder, access);
        return ERR_OK;
    }
    if (errno == EEXIST)
        return ERR_OK;
    snprintf(problem, room,
             "the folder %s of the control socket cannot be made: %s; make it, or set [control] "
             "socket to a path in a folder that is yours",
             folder, strerror(errno));
    return err_from_errno(errno);
}

/* What stands at the path: nothing (ERR_OK), a socket that nobody answers at (removed, ERR_OK), a
 * living one (ERR_BUSY), something else (ERR_EXISTS). */
static enum err clear_path(const struct sockaddr_un *at, char *problem, size_t room)
{
    struct stat st;
    int fd, refused;

    if (lstat(at->sun_path, &st) != 0)
        return ERR_OK; /* bind(2) says what else is wrong with it */
    if (!S_ISSOCK(st.st_mode)) {
        snprintf(problem, room,
                 "the control socket cannot be made: %s exists and is no socket; remove it or set "
                 "[control] socket to another path",
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

/* The file never stands there with a wider mode than it is to have: the mode comes before the name,
 * and before the listening, so that nobody connects in between. */
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
                 "the control socket's path has to have 1 to %zu bytes: '%s' has %zu; set "
                 "[control] socket to a shorter one",
                 sizeof at.sun_path - 1, path, strlen(path));
        return ERR_TOO_LARGE;
    }
    if ((e = find_access(&access, group, mode, problem, room)) != ERR_OK ||
        (e = make_folder(path, &access, problem, room)) != ERR_OK)
        return e;
    if ((e = clear_path(&at, problem, room)) != ERR_OK)
        return e;
    out->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (out->fd < 0 || !bind_file(out->fd, &at, &access) || listen(out->fd, BACKLOG) != 0 ||
        lstat(path, &st) != 0) {
        e = err_from_errno(errno);
        snprintf(problem, room, "the control socket %s cannot be opened: %s; %s", path,
                 strerror(errno),
                 err_advice(e, "see to its folder, or set [control] socket to another path"));
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

bool http_bind_is_there(const struct http_bind *s)
{
    struct stat st;

    return lstat(s->path, &st) == 0 && st.st_dev == s->device && st.st_ino == s->inode;
}

void http_bind_close(struct http_bind *s)
{
    if (s->fd >= 0)
        close(s->fd);
    s->fd = -1;
    if (s->path[0] != '\0' && http_bind_is_there(s))
        unlink(s->path);
    s->path[0] = '\0';
}
