#include "daemon/preflight.h"

#include "base/path.h"
#include "base/text.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { MESSAGE_SIZE = 4 * SETTINGS_TEXT_SIZE };

enum severity { NOTE, PROBLEM };

__attribute__((format(printf, 3, 4))) static void
report(struct preflight *p, enum severity severity, const char *format, ...)
{
    char message[MESSAGE_SIZE];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    (severity == PROBLEM ? p->problem : p->note)(p->ctx, message);
    p->problems += severity == PROBLEM;
}

/* Directories. */

/* A directory that the daemon needs, and how many missing components at the end of its path it
 * creates. */
struct required {
    const char *key; /* "[inbox] path" */
    const char *path;
    unsigned creatable;
};

/* Pseudo file systems (proc, sysfs, cgroup, devpts) have no blocks and cannot hold files, whatever
 * their permissions. ramfs and a tmpfs without a limit also report 0 blocks, and FUSE may report
 * none. */
static bool can_hold_files(const char *folder)
{
    struct statfs about;

    return statfs(folder, &about) != 0 || about.f_blocks != 0 || about.f_type == RAMFS_MAGIC ||
           about.f_type == TMPFS_MAGIC || about.f_type == FUSE_SUPER_MAGIC;
}

/* For a directory that exists. */
static void check_rights(struct preflight *p, const struct required *w, const char *folder)
{
    if (!can_hold_files(folder))
        report(p, PROBLEM,
               "%s = %s: cannot create files in %s, a kernel file system: choose another directory",
               w->key, w->path, folder);
    else if (access(folder, W_OK | X_OK) == 0)
        return;
    else if (errno == EROFS)
        report(p, PROBLEM, "%s = %s: the file system of %s is read-only: choose another directory",
               w->key, w->path, folder);
    else
        report(p, NOTE,
               "%s = %s: this user cannot write to %s (%s): the daemon's user must be able to",
               w->key, w->path, folder, strerror(errno));
}

static void report_missing(struct preflight *p, const struct required *w, const char *missing)
{
    if (w->creatable == 0)
        report(p, PROBLEM, "%s = %s: no such directory %s: create it", w->key, w->path, missing);
    else
        report(p, PROBLEM,
               "%s = %s: no such directory %s: create it (the daemon creates only the last "
               "component)",
               w->key, w->path, missing);
}

/* Checks the nearest ancestor that exists, the directory itself included. */
static void check_folder(struct preflight *p, const struct required *w, const char *folder)
{
    char at[PATH_MAX], missing[PATH_MAX] = "", up[PATH_MAX];
    struct stat st;
    unsigned count = 0;
    int error_number;

    if (text_copy(at, sizeof at, folder) != ERR_OK)
        return;
    while ((error_number = stat(at, &st) == 0 ? 0 : errno) == ENOENT && strcmp(at, "/") != 0) {
        memcpy(missing, at, sizeof missing);
        count++;
        if (path_folder(up, sizeof up, at) != ERR_OK)
            return;
        memcpy(at, up, sizeof at);
    }
    if (error_number == EACCES)
        report(p, NOTE, "%s = %s: this user cannot search the parent directory of %s", w->key,
               w->path, at);
    else if (error_number != 0)
        report(p, PROBLEM, "%s = %s: cannot access %s: %s", w->key, w->path, at,
               strerror(error_number));
    else if (!S_ISDIR(st.st_mode))
        report(p, PROBLEM, "%s = %s: %s is not a directory", w->key, w->path, at);
    else if (count > w->creatable)
        report_missing(p, w, missing);
    else
        check_rights(p, w, at);
}

static void check_folder_of(struct preflight *p, const struct required *w)
{
    char folder[PATH_MAX];

    if (path_folder(folder, sizeof folder, w->path) == ERR_OK)
        check_folder(p, w, folder);
}

/* Trailing slashes are ignored. */
static void check_inbox(struct preflight *p, const struct settings *s)
{
    char path[SETTINGS_TEXT_SIZE];
    size_t length = strlen(s->inbox.path);

    memcpy(path, s->inbox.path, length + 1);
    while (length > 1 && path[length - 1] == '/')
        path[--length] = '\0';
    check_folder(p, &(struct required){"[inbox] path", path, UINT_MAX}, path);
}

static void check_socket(struct preflight *p, const struct settings *s)
{
    const struct required w = {"[control] socket", s->control.socket, 1};
    struct stat st;

    check_folder_of(p, &w);
    if (lstat(w.path, &st) == 0 && !S_ISSOCK(st.st_mode))
        report(p, PROBLEM, "%s = %s exists and is not a socket: remove it, or choose another path",
               w.key, w.path);
}

/* Symbolic links are followed. */
static void check_file(struct preflight *p, const char *key, const char *path)
{
    char end[PATH_MAX];
    const struct required w = {key, path, 0};
    struct stat st;

    if (path[0] == '\0')
        return;
    if (path_follow(end, sizeof end, path) != ERR_OK)
        report(p, PROBLEM, "%s = %s: symbolic link loop", key, path);
    else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        report(p, PROBLEM, "%s = %s is a directory: set the path of a file", key, path);
    else
        check_folder_of(p, &(struct required){w.key, end, 0});
}

/* True if both paths name one file. A missing file is compared by the target of its links. */
static bool is_one_file(const char *a, const char *b)
{
    char end_a[PATH_MAX], end_b[PATH_MAX];
    struct stat st_a, st_b;

    if (stat(a, &st_a) == 0 && stat(b, &st_b) == 0)
        return st_a.st_dev == st_b.st_dev && st_a.st_ino == st_b.st_ino;
    return path_follow(end_a, sizeof end_a, a) == ERR_OK &&
           path_follow(end_b, sizeof end_b, b) == ERR_OK && strcmp(end_a, end_b) == 0;
}

/* Each is used differently (written, bound, connected to), so no two can be one file. */
static void check_distinct(struct preflight *p, const struct settings_in_force *in_force)
{
    const struct settings *s = &in_force->settings;
    const char *url = s->gateway.url;
    const struct {
        const char *key, *path;
    } files[] = {{"--config", in_force->origins.file},
                 {"[node] settings-file", s->node.settings_file},
                 {"[log] file", s->log.file},
                 {"[control] socket", s->control.socket},
                 {"[gateway] url", strncmp(url, "unix:", 5) == 0 ? url + 5 : ""}};
    const size_t count = sizeof files / sizeof *files;

    for (size_t i = 0; i < count; i++)
        for (size_t k = i + 1; k < count; k++)
            if (files[i].path[0] != '\0' && files[k].path[0] != '\0' &&
                is_one_file(files[i].path, files[k].path))
                report(p, PROBLEM,
                       "%s and %s are the same file, %s: set another path for one of them",
                       files[i].key, files[k].key, files[k].path);
}

static void check_root(struct preflight *p, const char *root)
{
    struct stat st;
    int error_number = stat(root, &st) == 0 ? 0 : errno;

    if (error_number != 0 && error_number != EACCES)
        report(p, PROBLEM, "[outbox] roots: %s: %s: create it, or remove it from the list", root,
               strerror(error_number));
    else if (error_number == 0 && !S_ISDIR(st.st_mode))
        report(p, PROBLEM, "[outbox] roots: %s is not a directory", root);
    else if (error_number != 0 || access(root, R_OK | X_OK) != 0)
        report(p, NOTE,
               "[outbox] roots: this user cannot read %s: the daemon's user must be able to", root);
}

static void check_roots(struct preflight *p, const struct settings *s)
{
    char root[SETTINGS_TEXT_SIZE];
    const char *at = s->outbox.roots;

    while (settings_next_root(&at, root))
        check_root(p, root);
}

/* Groups. */

static void check_group(struct preflight *p, const char *key, const char *name)
{
    if (name[0] != '\0' && getgrnam(name) == NULL)
        report(p, PROBLEM, "%s = %s: no such group: create it (groupadd %s), or set another", key,
               name, name);
}

/* Addresses. */

static uint16_t first_free_port(void)
{
    unsigned port = 1024; /* what the kernel begins with */
    FILE *in = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "re");

    if (in == NULL)
        return 1024;
    if (fscanf(in, "%u", &port) != 1 || port > UINT16_MAX)
        port = 1024;
    fclose(in);
    return (uint16_t)port;
}

static void check_port(struct preflight *p, const char *key, uint16_t port)
{
    uint16_t first = first_free_port();

    if (port < first && geteuid() != 0)
        report(p, NOTE,
               "%s: port %u is below %u: the daemon's user needs CAP_NET_BIND_SERVICE to listen "
               "there",
               key, (unsigned)port, (unsigned)first);
}

static void check_address(struct preflight *p, const char *key, const struct address *address)
{
    char text[ADDRESS_TEXT_SIZE];

    if (!address_is_wildcard(address) && !address_is_local(address))
        report(p, NOTE, "%s: %s is not an address of this machine at the moment", key,
               address_ip_text(text, address));
}

/* The control socket serves IPv4 on [::] too, the node listens on each family separately. */
static bool overlap(const struct address *control, const struct address *own)
{
    if (address_is_wildcard(control) &&
        (control->family == ADDRESS_V6 || own->family == ADDRESS_V4))
        return true;
    return address_is_same_ip(control, own) ||
           (control->family == own->family && address_is_wildcard(own));
}

static bool is_own_address(const struct settings *s, const struct address *control)
{
    if (!settings_has_transport(s) || !s->tcp_transport.is_receiving_enabled ||
        control->port != s->tcp_connections.tcp_port)
        return false;
    for (unsigned i = 0; i < s->tcp_connections.listen_count; i++)
        if (overlap(control, &s->tcp_connections.listen[i]))
            return true;
    return s->tcp_connections.is_listen_any;
}

static void check_addresses(struct preflight *p, const struct settings *s)
{
    struct address control;

    check_port(p, "[services/tcp-connections] tcp-port", s->tcp_connections.tcp_port);
    for (unsigned i = 0; i < s->tcp_connections.listen_count; i++)
        check_address(p, "[services/tcp-connections] listen", &s->tcp_connections.listen[i]);
    if (!settings_control_address(s, &control))
        return;
    check_port(p, "[control] listen", control.port);
    check_address(p, "[control] listen", &control);
    if (is_own_address(s, &control))
        report(p, PROBLEM,
               "[control] listen = %s is already used by the node ([services/tcp-connections] "
               "tcp-port = %u): set another port for one of them",
               s->control.listen, (unsigned)s->tcp_connections.tcp_port);
}

void preflight_check(struct preflight *p, const struct settings_in_force *in_force)
{
    const struct settings *s = &in_force->settings;

    check_inbox(p, s);
    check_group(p, "[inbox] group", s->inbox.group);
    check_roots(p, s);
    check_socket(p, s);
    check_group(p, "[control] group", s->control.group);
    check_addresses(p, s);
    check_file(p, "[node] settings-file", s->node.settings_file);
    check_file(p, "[log] file", s->log.file);
    check_distinct(p, in_force);
}
