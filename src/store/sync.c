#include "store/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

bool store_sync_is_syncfs_reliable(int dir_fd)
{
    static const long known[] = {EXT4_SUPER_MAGIC, XFS_SUPER_MAGIC, BTRFS_SUPER_MAGIC,
                                 F2FS_SUPER_MAGIC, TMPFS_MAGIC};
    struct statfs file_system;

    if (fstatfs(dir_fd, &file_system) != 0)
        return false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if ((long)file_system.f_type == known[i])
            return true;
    return false;
}

enum err store_sync_data(int fd)
{
    if (fd < 0 || fdatasync(fd) == 0)
        return ERR_OK;
    return err_from_errno(errno);
}

enum err store_sync_writeback_error(int fd)
{
    if (fd < 0 || sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE) == 0)
        return ERR_OK;
    return err_from_errno(errno);
}
