/* Getting data on to the disk, one file or a batch at once. */
#ifndef STORE_COMMIT_SYNC_H
#define STORE_COMMIT_SYNC_H

#include "base/err.h"
#include "store/commit/committer.h"

#include <stdbool.h>
#include <stddef.h>

/* fdatasync(2); -1 is synced already. */
enum err commit_sync_data(int fd);

/* For a file that a syncfs has written: waits for nothing, tells its own error. -1 has none. */
enum err commit_sync_written_error(int fd);

/* True on file systems of which it is known that syncfs(2) leaves what was written on the disk, and
 * that a file tells its own error afterwards. Others are known for less: FUSE's syncfs asks nothing
 * of whoever serves the files, overlayfs keeps the errors to the files below. */
bool commit_sync_at_once_is_known(int dir_fd);

/* Gets the data of a batch on to the disk. A request whose result is not ERR_OK is left alone, one
 * whose sync fails gets its error as result. `dir_fd` is on their file system and stays open;
 * `meminfo_fd` is /proc/meminfo, or -1. True: all that was written on that file system before is on
 * the disk (but for errors of other files). */
bool commit_sync_batch_data(int meminfo_fd, struct commit_request *const *batch, size_t count,
                            int dir_fd);

#endif
