/* Syncing the data of a batch of files. */
#ifndef STORE_COMMIT_SYNC_H
#define STORE_COMMIT_SYNC_H

#include "store/commit/request.h"

#include <stdbool.h>
#include <stddef.h>

/* Syncs the data of a batch. Requests whose result is not ERR_OK are skipped; a failed sync sets
 * the result of its request. `dir_fd` is on the same file system and stays open; `meminfo_fd` is
 * /proc/meminfo, or -1. True: everything written to that file system before is on the disk (except
 * for errors of other files). */
bool commit_sync_batch_data(int meminfo_fd, struct commit_request *const *batch, size_t count,
                            int dir_fd);

#endif
