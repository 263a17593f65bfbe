#include "store/commit/sync.h"

#include "store/sync.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Many small files at once are on the disk soonest by one syncfs(2): one commit of the file
 * system's journal and one flush instead of one each. But it waits for everything that anybody has
 * written, so it is not used while the machine has much to write (docs/store.md has the figures);
 * then writing is started for all files, and each is synced.
 *
 * What syncfs says of errors is not enough: it reports an error once per descriptor, perhaps to an
 * earlier batch. Each file is asked for its own error afterwards, and when syncfs fails each is
 * synced by itself, which tells whose error it was. Only on file systems that are known for both.
 */

enum {
    FEW = 2,  /* up to so many, starting early gains nothing */
    MANY = 8, /* from so many files on syncfs is worth it */
    MUCH_DIRTY_KIB = 65536,
};

static uint64_t kib_of(const char *text, const char *key)
{
    const char *line = strstr(text, key);

    return line == NULL ? UINT64_MAX / 4 : strtoull(line + strlen(key), NULL, 10);
}

/* Not known (no /proc) means much. */
static bool is_much_dirty(int meminfo_fd)
{
    char text[2048];
    ssize_t length = meminfo_fd < 0 ? -1 : pread(meminfo_fd, text, sizeof text - 1, 0);

    if (length <= 0)
        return true;
    text[length] = '\0';
    return kib_of(text, "\nDirty:") + kib_of(text, "\nWriteback:") > MUCH_DIRTY_KIB;
}

static void start_writing(struct commit_request *const *batch, size_t count)
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
    bool is_at_once = count >= MANY && !is_much_dirty(meminfo_fd) && syncfs(dir_fd) == 0;

    if (!is_at_once && count > FEW)
        start_writing(batch, count);
    sync_requests(batch, count, is_at_once ? store_sync_written_error : store_sync_data);
    return is_at_once;
}
