/* Getting one file's data on to the disk. */
#ifndef STORE_SYNC_H
#define STORE_SYNC_H

#include "base/err.h"

#include <stdbool.h>

/* fdatasync(2); -1 is synced already. */
enum err store_sync_data(int fd);

/* For a file that a syncfs has written: waits for nothing, tells its own error. -1 has none. */
enum err store_sync_written_error(int fd);

/* True on file systems of which it is known that syncfs(2) leaves what was written on the disk, and
 * that a file tells its own error afterwards. Others are known for less: FUSE's syncfs asks nothing
 * of whoever serves the files, overlayfs keeps the errors to the files below. */
bool store_sync_at_once_is_known(int dir_fd);

#endif
