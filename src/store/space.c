#include "store_priv.h"

#include "base/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Atomics, because any worker begins and writes files: a few additions for a file and one for each
 * SPACE_STEP_BYTES of it, and nobody waits. Each changes a number that stands for itself; what must
 * come before what is said where it matters. */

void space_set_limits(struct space *s, int dir_fd, uint64_t quota_bytes, uint64_t min_free_bytes)
{
    bool is_new = quota_bytes > 0 && atomic_load(&s->quota_bytes) == 0;

    if (is_new)
        space_count(s, dir_fd); /* before it holds, or all that stands there would not be seen */
    atomic_store(&s->quota_bytes, quota_bytes);
    atomic_store(&s->min_free_bytes, min_free_bytes);
}

/* What is announced is added before the disk is looked at, and taken off again only after it was
 * written: so the two together never show more room than there is. */
static bool has_room(struct space *s, int dir_fd)
{
    uint64_t wanted = atomic_load(&s->pending_bytes) + atomic_load(&s->min_free_bytes);
    struct statvfs disk;

    if (fstatvfs(dir_fd, &disk) != 0)
        return true; /* then the file itself will say what is wrong with the disk */
    return (uint64_t)disk.f_bavail * disk.f_frsize >= wanted;
}

static bool is_in_quota(struct space *s)
{
    uint64_t quota = atomic_load(&s->quota_bytes);

    return quota == 0 || atomic_load(&s->used_bytes) <= quota;
}

static enum err refuse(struct space *s, uint64_t size, enum err e, enum metric metric)
{
    space_release(s, size, size, false);
    metrics_add(metric, 1);
    return e;
}

enum err space_reserve(struct space *s, int dir_fd, uint64_t size)
{
    atomic_fetch_add(&s->pending_bytes, size);
    atomic_fetch_add(&s->open_bytes, size);
    atomic_fetch_add(&s->used_bytes, size);
    if (!is_in_quota(s))
        return refuse(s, size, ERR_INBOX_QUOTA, METRIC_FILES_OVER_QUOTA);
    if (size > 0 && !has_room(s, dir_fd))
        return refuse(s, size, ERR_MIN_FREE, METRIC_FILES_NO_ROOM);
    return ERR_OK;
}

void space_written(struct space *s, uint64_t bytes)
{
    atomic_fetch_sub(&s->pending_bytes, bytes);
}

void space_release(struct space *s, uint64_t pending, uint64_t size, bool is_kept)
{
    atomic_fetch_sub(&s->pending_bytes, pending);
    atomic_fetch_sub(&s->open_bytes, size);
    if (!is_kept)
        atomic_fetch_sub(&s->used_bytes, size);
}

static enum err add_size(void *ctx, int dir_fd, const char *name)
{
    uint64_t *sum = ctx;
    struct stat st;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
        *sum += (uint64_t)st.st_size;
    return ERR_OK;
}

/* What files begin and fail to be while the directory is read stays added to the result: only what
 * was there before is replaced. A file that is renamed meanwhile may count twice, until the next
 * time. */
void space_count(struct space *s, int dir_fd)
{
    uint64_t before = atomic_load(&s->used_bytes), open = atomic_load(&s->open_bytes);
    uint64_t standing = 0;

    if (directory_each(dir_fd, ".", add_size, &standing) == ERR_OK)
        atomic_fetch_add(&s->used_bytes, standing + open - before);
}
