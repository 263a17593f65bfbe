#include "store/bad_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

struct bad_disk bad_disk;

void disk_refuses(unsigned set, int good, int bad)
{
    bad_disk.good = good;
    bad_disk.bad = bad;
    bad_disk.set = set;
}

static bool is_refused(unsigned kind)
{
    if ((bad_disk.set & kind) == 0 || bad_disk.good-- > 0)
        return false;
    bad_disk.good = 0;
    if (bad_disk.bad == 0)
        return false;
    if (bad_disk.bad > 0)
        bad_disk.bad--;
    bad_disk.refused++;
    errno = EIO;
    return true;
}

int syncfs(int fd)
{
    return is_refused(BAD_SYNC) ? -1 : (int)syscall(SYS_syncfs, fd);
}

int fdatasync(int fd)
{
    return is_refused(BAD_SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    return is_refused(BAD_SYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at)
{
    return is_refused(BAD_WRITE) ? -1 : syscall(SYS_pwrite64, fd, bytes, length, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at)
{
    return pwrite(fd, bytes, length, at);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    return is_refused(BAD_RENAME) ? -1
                                  : (int)syscall(SYS_renameat2, from_fd, from, to_fd, to, flags);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return renameat2(from_fd, from, to_fd, to, 0);
}

int unlinkat(int fd, const char *name, int flags)
{
    return is_refused(BAD_UNLINK) ? -1 : (int)syscall(SYS_unlinkat, fd, name, flags);
}
