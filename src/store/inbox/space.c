#include "store/inbox/space.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "store/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Atomics, because any worker begins and writes files: a few additions per file and one per
 * INBOX_SPACE_STEP_BYTES of it, without blocking. Each counter is independent; where the order of
 * operations matters, a comment says so. */

enum {
    BLOCK_MIN = 512,
    BLOCK_DEFAULT = 4096, /* if the file system does not report it */
    BLOCK_MAX = 1 << 16,
    STAT_BLOCK = 512, /* unit of st_blocks on every file system */
    /* Inodes to keep free: a hundredth of all, within these bounds. */
    FREE_FILES_FRACTION = 100,
    FREE_FILES_MIN = 16, /* for the daemon itself: journal rewrite, settings, a spooled file */
    FREE_FILES_MAX = 1000,
    NS_PER_US = 1000,
    MTIME_SETTLED_US = 1000000,  /* mtime granularity: later changes get another mtime */
    RECOUNT_INTERVAL_MS = 60000, /* writing in place leaves the directory's mtime alone */
};

void inbox_space_open(struct inbox_space *s, int dir_fd)
{
    struct statvfs disk;
    uint64_t block = BLOCK_DEFAULT;

    if (fstatvfs(dir_fd, &disk) == 0 && disk.f_frsize >= BLOCK_MIN && disk.f_frsize <= BLOCK_MAX)
        block = disk.f_frsize;
    s->block_bytes = block;
}

uint64_t inbox_space_cost(const struct inbox_space *s, uint64_t size)
{
    uint64_t block = s->block_bytes == 0 ? BLOCK_DEFAULT : s->block_bytes;

    return size == 0 ? block : (size + block - 1) / block * block;
}

static bool is_limited(const struct inbox_space_limits *limits)
{
    return limits->quota_bytes > 0 || limits->files > 0;
}

void inbox_space_set_limits(struct inbox_space *s, int dir_fd,
                            const struct inbox_space_limits *limits)
{
    struct inbox_space_limits before = {.quota_bytes = atomic_load(&s->quota_bytes),
                                        .files = atomic_load(&s->files_limit)};
    bool is_new = is_limited(limits) &&
                  (!is_limited(&before) || (limits->quota_bytes > 0 && before.quota_bytes == 0));

    if (is_new) /* count before the limit applies, or existing files would be missed */
        inbox_space_count(s, dir_fd, limits->quota_bytes > 0);
    atomic_store(&s->quota_bytes, limits->quota_bytes);
    atomic_store(&s->files_limit, limits->files);
    atomic_store(&s->min_free_bytes, limits->min_free_bytes);
}

uint64_t inbox_space_min_free_files(uint64_t all)
{
    uint64_t share = all / FREE_FILES_FRACTION;

    if (share < FREE_FILES_MIN)
        return FREE_FILES_MIN;
    return share < FREE_FILES_MAX ? share : FREE_FILES_MAX;
}

/* File systems that allocate inodes dynamically (btrfs) report zero inodes. */
static bool has_inodes(const struct statvfs *disk)
{
    return disk->f_files == 0 || disk->f_favail >= inbox_space_min_free_files(disk->f_files);
}

/* The announced size is added before the free space is read and subtracted only after the bytes
 * were written, so that the two together never overestimate the free space. */
static enum err check_disk(struct inbox_space *s, int dir_fd)
{
    uint64_t required = atomic_load(&s->pending_bytes) + atomic_load(&s->min_free_bytes);
    struct statvfs disk;

    if (fstatvfs(dir_fd, &disk) != 0)
        return ERR_OK; /* writing the file will report the error */
    if ((uint64_t)disk.f_bavail * disk.f_frsize < required)
        return ERR_MIN_FREE;
    return has_inodes(&disk) ? ERR_OK : ERR_MIN_FREE_FILES;
}

static bool is_within(uint64_t used, uint64_t limit)
{
    return limit == 0 || used <= limit;
}

static enum err check_limits(struct inbox_space *s, int dir_fd)
{
    if (!is_within(atomic_load(&s->used_bytes), atomic_load(&s->quota_bytes)))
        return ERR_INBOX_QUOTA;
    if (!is_within(atomic_load(&s->used_files), atomic_load(&s->files_limit)))
        return ERR_INBOX_FILES;
    return check_disk(s, dir_fd);
}

static void count_refusal(enum err e)
{
    metrics_add(e == ERR_INBOX_QUOTA   ? METRIC_FILES_OVER_QUOTA
                : e == ERR_INBOX_FILES ? METRIC_FILES_OVER_LIMIT
                : e == ERR_MIN_FREE    ? METRIC_FILES_NO_ROOM
                                       : METRIC_FILES_NO_INODES,
                1);
}

enum err inbox_space_reserve(struct inbox_space *s, int dir_fd, uint64_t cost)
{
    enum err e;

    atomic_fetch_add(&s->pending_bytes, cost);
    atomic_fetch_add(&s->open_bytes, cost);
    atomic_fetch_add(&s->used_bytes, cost);
    atomic_fetch_add(&s->open_files, 1);
    atomic_fetch_add(&s->used_files, 1);
    if ((e = check_limits(s, dir_fd)) == ERR_OK)
        return ERR_OK;
    inbox_space_release(s, cost, cost, false);
    count_refusal(e);
    return e;
}

void inbox_space_written(struct inbox_space *s, uint64_t bytes)
{
    atomic_fetch_sub(&s->pending_bytes, bytes);
}

void inbox_space_release(struct inbox_space *s, uint64_t pending, uint64_t cost, bool is_kept)
{
    atomic_fetch_sub(&s->pending_bytes, pending);
    atomic_fetch_sub(&s->open_bytes, cost);
    atomic_fetch_sub(&s->open_files, 1);
    if (is_kept)
        return;
    atomic_fetch_sub(&s->used_bytes, cost);
    atomic_fetch_sub(&s->used_files, 1);
}

/* --- counting ----------------------------------------------------------------------------------
 */

struct tally {
    const struct inbox_space *space;
    bool has_sizes;
    uint64_t bytes, files;
};

/* Disk usage as reported by the file system, but at least one block: name, inode and record use
 * space as well. */
static uint64_t disk_usage(const struct inbox_space *s, const struct stat *st)
{
    uint64_t bytes = (uint64_t)st->st_blocks * STAT_BLOCK, min_bytes = inbox_space_cost(s, 0);

    return bytes > min_bytes ? bytes : min_bytes;
}

/* Without a quota d_type is sufficient, and no inode is read from the disk. */
static enum err tally_file(void *ctx, int dir_fd, const char *name, unsigned char kind)
{
    struct tally *t = ctx;
    struct stat st;

    if (kind != DT_UNKNOWN && kind != DT_REG)
        return ERR_OK;
    if (kind == DT_REG && !t->has_sizes) {
        t->files++;
    } else if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
        t->files++;
        t->bytes += disk_usage(t->space, &st);
    }
    return ERR_OK;
}

/* Files that begin or fail during the count are included in the result: only the earlier count is
 * replaced. A file renamed meanwhile can be counted twice, until the next count. */
void inbox_space_count(struct inbox_space *s, int dir_fd, bool has_sizes)
{
    uint64_t bytes_before = atomic_load(&s->used_bytes), bytes_open = atomic_load(&s->open_bytes);
    uint64_t files_before = atomic_load(&s->used_files), files_open = atomic_load(&s->open_files);
    struct tally t = {.space = s, .has_sizes = has_sizes};

    if (store_directory_each_kind(dir_fd, ".", tally_file, &t) != ERR_OK)
        return;
    atomic_fetch_add(&s->used_files, t.files + files_open - files_before);
    if (has_sizes)
        atomic_fetch_add(&s->used_bytes, t.bytes + bytes_open - bytes_before);
}

static int64_t ns_of(const struct timespec *t)
{
    return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

/* Adding or removing a name changes the directory's mtime; a change within the mtime granularity of
 * the last count may have been missed. */
static bool is_unchanged(const struct inbox_space_recount *r, const struct stat *folder,
                         uint64_t now_ms)
{
    return ns_of(&folder->st_mtim) == r->mtime_ns && r->is_settled &&
           now_ms - r->counted_ms < RECOUNT_INTERVAL_MS;
}

void inbox_space_recount(struct inbox_space *s, struct inbox_space_recount *r, int dir_fd,
                         uint64_t now_ms)
{
    bool has_sizes = atomic_load(&s->quota_bytes) > 0;
    struct stat folder;

    if ((!has_sizes && atomic_load(&s->files_limit) == 0) || fstat(dir_fd, &folder) != 0 ||
        is_unchanged(r, &folder, now_ms))
        return;
    *r = (struct inbox_space_recount){.mtime_ns = ns_of(&folder.st_mtim), .counted_ms = now_ms};
    r->is_settled = clock_real_us() - r->mtime_ns / NS_PER_US > MTIME_SETTLED_US;
    inbox_space_count(s, dir_fd, has_sizes);
}
