/* Getting the data of a batch of files on to the disk. */
#ifndef STORE_COMMIT_SYNC_H
#define STORE_COMMIT_SYNC_H

#include "store/commit/request.h"

#include <stdbool.h>
#include <stddef.h>

/* Gets the data of a batch on to the disk. A request whose result is not ERR_OK is left alone, one
 * whose sync fails gets its error as result. `dir_fd` is on their file system and stays open;
 * `meminfo_fd` is /proc/meminfo, or -1. True: all that was written on that file system before is on
 * the disk (but for errors of other files). */
bool commit_sync_batch_data(int meminfo_fd, struct commit_request *const *batch, size_t count,
                            int dir_fd);

#endif
