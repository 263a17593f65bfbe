#include "daemon/sandbox.h"

#include "base/log.h"
#include "base/path.h"
#include "base/text.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/landlock.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { GROUPS_MAX = 1024, PRIVILEGED_PORTS = 1024 };

__attribute__((format(printf, 2, 3))) static void append(struct sandbox *sandbox,
                                                         const char *format, ...)
{
    size_t used = strlen(sandbox->text);
    va_list args;

    va_start(args, format);
    vsnprintf(sandbox->text + used, sizeof sandbox->text - used, format, args);
    va_end(args);
}

/* Groups. */

/* A file's group can be changed without a capability to one that the process is in: so the daemon
 * joins the group while it still can. Without CAP_SETGID its user must be a member already. */
static enum err join_group(const char *name)
{
    gid_t groups[GROUPS_MAX];
    const struct group *group;
    int count;

    if (name[0] == '\0')
        return ERR_OK;
    errno = 0;
    if ((group = getgrnam(name)) == NULL) {
        log_error("no such group '%s': create it (groupadd %s), or set another in [control] group "
                  "or [inbox] group",
                  name, name);
        return ERR_NOT_FOUND;
    }
    count = getgroups(GROUPS_MAX - 1, groups);
    if (count < 0 || group_member(group->gr_gid))
        return ERR_OK;
    groups[count] = group->gr_gid;
    if (setgroups((size_t)count + 1, groups) != 0 && errno != EPERM)
        log_warning("cannot join group %s: %s", name, strerror(errno));
    return ERR_OK;
}

/* Capabilities. */

static bool is_port_privileged(const struct settings *s)
{
    struct address control;

    return s->tcp_connections.tcp_port < PRIVILEGED_PORTS ||
           (settings_control_address(s, &control) && control.port < PRIVILEGED_PORTS);
}

/* Clearing the bounding set requires CAP_SETPCAP; without it, no-new-privileges already prevents
 * gaining a capability. */
static void drop_capabilities(struct sandbox *sandbox, const struct settings *s)
{
    bool has_setpcap, is_kept;
    char *names;

    capng_get_caps_process();
    has_setpcap = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) != 0;
    is_kept =
        is_port_privileged(s) && capng_have_capability(CAPNG_PERMITTED, CAP_NET_BIND_SERVICE) != 0;
    capng_clear(CAPNG_SELECT_BOTH);
    if (is_kept)
        capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_BIND_SERVICE);
    if (capng_apply(has_setpcap ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) != 0)
        log_warning("cannot drop capabilities: %s", strerror(errno));
    capng_get_caps_process();
    names = capng_print_caps_text(CAPNG_PRINT_BUFFER, CAPNG_EFFECTIVE);
    append(sandbox, ", capabilities: %s", names == NULL || names[0] == '\0' ? "none" : names);
    free(names);
}

enum err sandbox_drop(struct sandbox *sandbox, const struct settings *s)
{
    enum err e = join_group(s->control.group);

    if (e == ERR_OK)
        e = join_group(s->inbox.group);
    if (e != ERR_OK)
        return e;
    append(sandbox, "user %u", (unsigned)geteuid());
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
        append(sandbox, ", no new privileges");
    drop_capabilities(sandbox, s);
    return ERR_OK;
}

/* Landlock. Debian 12's headers define versions 1 and 2; these are the values of later ones
 * (landlock(7)). */
#define ACCESS_TRUNCATE  (1ull << 14) /* version 3 */
#define ACCESS_IOCTL_DEV (1ull << 15) /* version 5 */
#define SCOPE_SIGNAL     (1ull << 1)  /* version 6 */

#define READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE                                                             \
    (READ | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG | \
     LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |       \
     LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REFER | ACCESS_TRUNCATE)
#define SOCKET (LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE)

/* Older kernels accept a larger struct if the members they do not know are zero. */
struct ruleset {
    uint64_t handled_fs, handled_net, scoped;
};

/* The access rights handled by version N, at index N. Version 1 cannot allow a rename from one
 * directory to another, which each commit does. */
enum { MIN_VERSION = 2, MAX_VERSION = 6 };
static const struct ruleset rulesets[MAX_VERSION + 1] = {
    [2] = {.handled_fs = (LANDLOCK_ACCESS_FS_REFER << 1) - 1},
    [3] = {.handled_fs = (ACCESS_TRUNCATE << 1) - 1},
    [4] = {.handled_fs = (ACCESS_TRUNCATE << 1) - 1},
    [5] = {.handled_fs = (ACCESS_IOCTL_DEV << 1) - 1},
    [6] = {.handled_fs = (ACCESS_IOCTL_DEV << 1) - 1, .scoped = SCOPE_SIGNAL},
};

struct landlock {
    int fd;
    uint64_t handled;
};

/* A missing path needs no rule: it cannot be opened in any case. */
static void allow(const struct landlock *l, const char *path, uint64_t access)
{
    struct landlock_path_beneath_attr rule = {
        .allowed_access = access & l->handled,
        .parent_fd = open(path, O_PATH | O_CLOEXEC),
    };

    if (rule.parent_fd < 0)
        return;
    if (syscall(SYS_landlock_add_rule, l->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
        log_warning("cannot add a Landlock rule for %s: %s; access to it will be denied", path,
                    strerror(errno));
    close(rule.parent_fd);
}

/* Files are replaced by rename, so the rule must be on the directory. */
static void allow_folder_of(const struct landlock *l, const char *path, uint64_t access)
{
    char folder[PATH_MAX];

    if (path[0] != '\0' && path_folder(folder, sizeof folder, path) == ERR_OK)
        allow(l, folder, access);
}

/* A symbolic link is read and written at its target: allows the directory of each link in the
 * chain. Directories that are links are resolved now. */
static void allow_links_of(const struct landlock *l, const char *path, uint64_t access)
{
    char at[PATH_MAX], next[PATH_MAX];
    unsigned links_left = 8;

    if (text_copy(at, sizeof at, path) != ERR_OK)
        return;
    allow_folder_of(l, at, access);
    while (links_left-- > 0 && path_link_target(next, sizeof next, at)) {
        allow_folder_of(l, next, access);
        memcpy(at, next, sizeof at);
    }
}

/* What the C library reads itself: to resolve host names, to count processors, to load modules on
 * first use. */
static void allow_system(const struct landlock *l)
{
    static const char *const folders[] = {"/etc",
                                          "/usr",
                                          "/lib",
                                          "/lib64",
                                          "/run/systemd/resolve",
                                          "/run/resolvconf",
                                          "/run/NetworkManager",
                                          "/sys/devices/system/cpu",
                                          "/proc/self"};

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        allow(l, folders[i], READ);
}

static void allow_roots(const struct landlock *l, const char *roots)
{
    char root[SETTINGS_TEXT_SIZE];

    while (settings_next_root(&roots, root))
        allow(l, root, READ);
}

static void allow_all(const struct landlock *l, const struct settings_in_force *in_force)
{
    const struct settings *s = &in_force->settings;

    allow(l, s->inbox.path, WRITE);
    allow_folder_of(l, s->control.socket, SOCKET);
    allow_links_of(l, in_force->origins.file, READ);
    allow_links_of(l, in_force->origins.persisted, WRITE);
    allow_links_of(l, s->log.file, WRITE);
    if (s->outbox.roots[0] == '\0') {
        allow(l, "/", READ);
        return;
    }
    allow_system(l);
    allow_roots(l, s->outbox.roots);
}

static enum err restrict_self(const struct settings_in_force *in_force, int version)
{
    struct ruleset ruleset = rulesets[version < MAX_VERSION ? version : MAX_VERSION];
    struct landlock l = {.handled = ruleset.handled_fs};
    enum err e = ERR_OK;

    l.fd = (int)syscall(SYS_landlock_create_ruleset, &ruleset, sizeof ruleset, 0);
    if (l.fd < 0)
        return err_from_errno(errno);
    allow_all(&l, in_force);
    if (syscall(SYS_landlock_restrict_self, l.fd, 0) != 0)
        e = err_from_errno(errno);
    close(l.fd);
    return e;
}

/* A system call filter may fail the call as a kernel without it does (ENOSYS), or otherwise. */
static const char *why_no_landlock(int error_number)
{
    switch (error_number) {
    case 0:
        return "too old in this kernel";
    case ENOSYS:
        return "not in this kernel, or hidden by a system call filter";
    case EOPNOTSUPP:
        return "switched off in this kernel (its parameter lsm=)";
    case EPERM:
    case EACCES:
        return "refused by a system call filter (seccomp)";
    default:
        return strerror(error_number);
    }
}

static void confine(struct sandbox *sandbox, const struct settings_in_force *in_force)
{
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    enum err e;

    if (version < MIN_VERSION) {
        append(sandbox, ", Landlock: %s", why_no_landlock(version < 0 ? errno : 0));
        return;
    }
    e = restrict_self(in_force, (int)version);
    if (e != ERR_OK)
        append(sandbox, ", Landlock: refused (%s)", err_text(e));
    else
        append(sandbox, ", Landlock: writes only its own folders, reads %s",
               in_force->settings.outbox.roots[0] == '\0'
                   ? "anywhere"
                   : "the outbox roots and the system's files");
}

void sandbox_confine(struct sandbox *sandbox, const struct settings_in_force *in_force)
{
    if (in_force->settings.node.is_confined)
        confine(sandbox, in_force);
    else
        append(sandbox, ", Landlock: switched off");
    log_info("privileges: %s", sandbox->text);
}
