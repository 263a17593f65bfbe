/* Syncing the data of one file. */
#ifndef STORE_SYNC_H
#define STORE_SYNC_H

#include "base/err.h"

#include <stdbool.h>

/* fdatasync(2). -1: already synced, ERR_OK. */
enum err store_sync_data(int fd);

/* For a file written by a syncfs: returns the file's own write error without waiting. -1: ERR_OK.
 */
enum err store_sync_writeback_error(int fd);

/* True on file systems where syncfs(2) is known to make written data durable and each file reports
 * its own error afterwards. Not on others: FUSE's syncfs does not reach the file server, overlayfs
 * keeps the errors on the lower files. */
bool store_sync_is_syncfs_reliable(int dir_fd);

#endif
