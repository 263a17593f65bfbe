#include "store_priv.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Many small files at once are on the disk soonest by one syncfs(2): one commit of the file
 * system's journal and one flush instead of one each. But it waits for everything that anybody has
 * written, so beside a bulk transfer it takes twenty times as long as the batch alone
 * (docs/store.md has the figures). Therefore it is not used while the machine has much to write,
 * and not for a while after it took longer than syncing each file would have; otherwise writing is
 * started for all files, then each is synced. What each costs is a property of the disk and of who
 * else uses it, from a tenth of a millisecond to several: it is measured, and slowly forgotten
 * while syncfs is in use.
 *
 * What syncfs says of errors is not enough: it reports an error once per descriptor, perhaps to an
 * earlier batch. Each file is asked for its own error afterwards, and when syncfs fails each is
 * synced by itself, which tells whose error it was. */

enum {
    FEW = 2,  /* up to so many, starting early gains nothing */
    MANY = 8, /* from so many files on syncfs is worth it */
    MUCH_DIRTY_KIB = 65536,
    EACH_US = 100, /* what a file costs at least when each is synced */
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MOST_MS = 64000,
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

void sync_pace_open(struct sync_pace *pace)
{
    *pace = (struct sync_pace){.meminfo_fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC),
                               .each_us = EACH_US};
}

void sync_pace_close(struct sync_pace *pace)
{
    if (pace->meminfo_fd >= 0)
        close(pace->meminfo_fd);
    pace->meminfo_fd = -1;
}

/* True if everything is on the disk now, as far as syncfs knows. */
static bool sync_at_once(struct sync_pace *pace, size_t count, int dir_fd)
{
    uint64_t begin_us = clock_mono_us(), took_us;
    bool is_done;

    if (count < MANY || begin_us < pace->not_before_us || is_much_dirty(pace->meminfo_fd))
        return false;
    is_done = syncfs(dir_fd) == 0;
    took_us = clock_mono_us() - begin_us;
    if (took_us <= pace->each_us * count) {
        pace->each_us -= (pace->each_us - EACH_US) / 16;
        pace->backoff_ms = 0;
        return is_done;
    }
    pace->backoff_ms = pace->backoff_ms == 0 ? BACKOFF_FIRST_MS : 2 * pace->backoff_ms;
    if (pace->backoff_ms > BACKOFF_MOST_MS)
        pace->backoff_ms = BACKOFF_MOST_MS;
    pace->not_before_us = begin_us + took_us + 1000 * pace->backoff_ms;
    return is_done;
}

enum err sync_data(int fd)
{
    if (fd < 0 || fdatasync(fd) == 0)
        return ERR_OK;
    return err_from_errno(errno);
}

enum err sync_written_error(int fd)
{
    if (fd < 0 || sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE) == 0)
        return ERR_OK;
    return err_from_errno(errno);
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

static void sync_each(struct sync_pace *pace, struct commit_request *const *batch, size_t count)
{
    uint64_t begin_us = clock_mono_us(), each_us;

    if (count > FEW)
        start_writing(batch, count);
    sync_requests(batch, count, sync_data);
    if (count < MANY)
        return;
    each_us = (3 * pace->each_us + (clock_mono_us() - begin_us) / count) / 4;
    pace->each_us = each_us < EACH_US ? EACH_US : each_us;
}

bool sync_batch_data(struct sync_pace *pace, struct commit_request *const *batch, size_t count,
                     int dir_fd)
{
    bool is_at_once = sync_at_once(pace, count, dir_fd);

    if (is_at_once)
        sync_requests(batch, count, sync_written_error);
    else
        sync_each(pace, batch, count);
    return is_at_once;
}
