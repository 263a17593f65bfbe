#include "store/commit/sync.h"

#include "store/sync.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* For many small files one syncfs(2) is fastest: one commit of the file system's journal and one
 * flush instead of one per file. But it waits for all dirty data of the file system, so it is not
 * used while the machine has much to write (docs/store.md has the figures); then writeback is
 * started for all files, and each is synced.
 *
 * The result of syncfs is not sufficient: it reports an error once per descriptor, perhaps to an
 * earlier batch. So each file is checked for its own error afterwards, and if syncfs fails each
 * file is synced individually, which shows which one failed. Only on file systems known to support
 * both. */

enum {
    EACH_MAX = 2,   /* up to this many files, starting writeback early gains nothing */
    SYNCFS_MIN = 8, /* from this many files on, syncfs is faster */
    DIRTY_MAX_KIB = 65536,
};

static uint64_t kib_of(const char *text, const char *key)
{
    const char *line = strstr(text, key);

    return line == NULL ? UINT64_MAX / 4 : strtoull(line + strlen(key), NULL, 10);
}

/* If unknown (no /proc), true. */
static bool is_too_dirty(int meminfo_fd)
{
    char text[2048];
    ssize_t length = meminfo_fd < 0 ? -1 : pread(meminfo_fd, text, sizeof text - 1, 0);

    if (length <= 0)
        return true;
    text[length] = '\0';
    return kib_of(text, "\nDirty:") + kib_of(text, "\nWriteback:") > DIRTY_MAX_KIB;
}

static void start_writeback(struct commit_request *const *batch, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (batch[i]->file.fd >= 0)
            sync_file_range(batch[i]->file.fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

static void sync_requests(struct commit_request *const *batch, size_t count,
                          enum err (*sync_one)(int))
{
    for (size_t i = 0; i < count; i++)
        if (batch[i]->request.result == ERR_OK)
            batch[i]->request.result = sync_one(batch[i]->file.fd);
}

bool commit_sync_batch_data(int meminfo_fd, struct commit_request *const *batch, size_t count,
                            int dir_fd)
{
    bool is_syncfs_done = count >= SYNCFS_MIN && !is_too_dirty(meminfo_fd) && syncfs(dir_fd) == 0;

    if (!is_syncfs_done && count > EACH_MAX)
        start_writeback(batch, count);
    sync_requests(batch, count, is_syncfs_done ? store_sync_writeback_error : store_sync_data);
    return is_syncfs_done;
}
