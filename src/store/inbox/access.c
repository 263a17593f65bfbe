/* Group and mode of finished files. Set when the file is created; while it is partial, its
 * directory keeps other users out. */
#include "store/inbox/access.h"

#include "base/text.h"
#include "store/inbox/state.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum err inbox_access_apply(const struct inbox *in, int fd)
{
    if (in->has_group && fchown(fd, (uid_t)-1, in->group) != 0)
        return err_from_errno(errno);
    if (in->mode != 0600 && fchmod(fd, in->mode) != 0)
        return err_from_errno(errno);
    return ERR_OK;
}

/* Users who can read the files can list the directory; only the daemon adds and removes names. */
static mode_t folder_mode(mode_t mode)
{
    return 0700 | ((mode & 0040) != 0 ? 0050 : 0) | ((mode & 0004) != 0 ? 0005 : 0);
}

/* A directory that already has the required group and mode need not be owned by the daemon. */
static enum err open_folder(const struct inbox *in)
{
    mode_t mode = folder_mode(in->mode);
    struct stat status;

    if (fstat(in->dir_fd, &status) != 0)
        return err_from_errno(errno);
    if (in->has_group && status.st_gid != in->group &&
        fchown(in->dir_fd, (uid_t)-1, in->group) != 0)
        return err_from_errno(errno);
    if ((status.st_mode & mode) != mode && fchmod(in->dir_fd, status.st_mode | mode) != 0)
        return err_from_errno(errno);
    return ERR_OK;
}

/* Fails at start rather than for each file. */
static enum err try_access(const struct inbox *in)
{
    static const char name[] = "try-access";
    int fd;
    enum err e;

    unlinkat(in->partial_fd, name, 0);
    fd = openat(in->partial_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_from_errno(errno);
    e = inbox_access_apply(in, fd);
    close(fd);
    unlinkat(in->partial_fd, name, 0);
    return e;
}

enum err inbox_access_set(struct inbox *in, const char *group, unsigned mode, char *problem,
                          size_t room)
{
    const struct group *entry = group[0] == '\0' ? NULL : getgrnam(group);
    enum err e = group[0] != '\0' && entry == NULL ? ERR_NOT_FOUND : ERR_OK;

    in->has_group = entry != NULL;
    in->group = entry == NULL ? 0 : entry->gr_gid;
    in->mode = (mode_t)mode;
    if (e == ERR_OK && (in->has_group || mode != 0600) && (e = open_folder(in)) == ERR_OK)
        e = try_access(in);
    if (e != ERR_OK)
        snprintf(
            problem, room,
            "inbox %s: cannot give files group '%s' and mode %04o: %s; add the daemon's user "
            "to that group and make it the owner of the inbox, or change [inbox] group and mode",
            in->path, group, mode, err_text(e));
    return e;
}
