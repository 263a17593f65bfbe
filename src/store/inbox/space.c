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

/* Atomics, because any worker begins and writes files: a few additions for a file and one for each
 * INBOX_SPACE_STEP_BYTES of it, and nobody waits. Each changes a number that stands for itself;
 * what must come before what is said where it matters. */

enum {
    BLOCK_LEAST = 512,
    BLOCK_USUAL = 4096, /* where the file system does not say */
    BLOCK_MOST = 1 << 16,
    STAT_BLOCK = 512, /* the unit of st_blocks, whatever the file system's is */
    /* Inodes that stay free: a hundredth of all, within these bounds. */
    FREE_FILES_SHARE = 100,
    FREE_FILES_LEAST = 16, /* the daemon's own: a journal rewritten, settings, a spooled file */
    FREE_FILES_MOST = 1000,
    NS_PER_US = 1000,
    MTIME_SETTLED_US = 1000000,  /* a change in the same tick of the kernel's clock shows by then */
    RECOUNT_AT_LEAST_MS = 60000, /* what is written in place leaves the folder's mtime alone */
};

void inbox_space_open(struct inbox_space *s, int dir_fd)
{
    struct statvfs disk;
    uint64_t block = BLOCK_USUAL;

    if (fstatvfs(dir_fd, &disk) == 0 && disk.f_frsize >= BLOCK_LEAST && disk.f_frsize <= BLOCK_MOST)
        block = disk.f_frsize;
    s->block_bytes = block;
}

uint64_t inbox_space_cost(const struct inbox_space *s, uint64_t size)
{
    uint64_t block = s->block_bytes == 0 ? BLOCK_USUAL : s->block_bytes;

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

    if (is_new) /* before it holds, or all that stands there would not be seen */
        inbox_space_count(s, dir_fd, limits->quota_bytes > 0);
    atomic_store(&s->quota_bytes, limits->quota_bytes);
    atomic_store(&s->files_limit, limits->files);
    atomic_store(&s->min_free_bytes, limits->min_free_bytes);
}

uint64_t inbox_space_free_files_wanted(uint64_t all)
{
    uint64_t share = all / FREE_FILES_SHARE;

    if (share < FREE_FILES_LEAST)
        return FREE_FILES_LEAST;
    return share < FREE_FILES_MOST ? share : FREE_FILES_MOST;
}

/* A file system that makes inodes as it needs them (btrfs) says that it has none at all. */
static bool has_inodes(const struct statvfs *disk)
{
    return disk->f_files == 0 || disk->f_favail >= inbox_space_free_files_wanted(disk->f_files);
}

/* What is announced is added before the disk is looked at, and taken off again only after it was
 * written: so the two together never show more room than there is. */
static enum err look_at_disk(struct inbox_space *s, int dir_fd)
{
    uint64_t wanted = atomic_load(&s->pending_bytes) + atomic_load(&s->min_free_bytes);
    struct statvfs disk;

    if (fstatvfs(dir_fd, &disk) != 0)
        return ERR_OK; /* then the file itself will say what is wrong with the disk */
    if ((uint64_t)disk.f_bavail * disk.f_frsize < wanted)
        return ERR_MIN_FREE;
    return has_inodes(&disk) ? ERR_OK : ERR_MIN_FREE_FILES;
}

static bool is_within(uint64_t used, uint64_t limit)
{
    return limit == 0 || used <= limit;
}

static enum err look(struct inbox_space *s, int dir_fd)
{
    if (!is_within(atomic_load(&s->used_bytes), atomic_load(&s->quota_bytes)))
        return ERR_INBOX_QUOTA;
    if (!is_within(atomic_load(&s->used_files), atomic_load(&s->files_limit)))
        return ERR_INBOX_FILES;
    return look_at_disk(s, dir_fd);
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
    if ((e = look(s, dir_fd)) == ERR_OK)
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

/* What a file takes is what the file system says, but never less than a block: its name, its inode
 * and its record have to stand somewhere too. */
static uint64_t taken(const struct inbox_space *s, const struct stat *st)
{
    uint64_t bytes = (uint64_t)st->st_blocks * STAT_BLOCK, least = inbox_space_cost(s, 0);

    return bytes > least ? bytes : least;
}

/* Without a quota the kind that the folder names is enough: an inode on the disk is not read. */
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
        t->bytes += taken(t->space, &st);
    }
    return ERR_OK;
}

/* What files begin and fail to be while the directory is read stays added to the result: only what
 * was there before is replaced. A file that is renamed meanwhile may count twice, until the next
 * time. */
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

/* A name that comes or goes changes the folder's mtime, and one that did so in the moment of the
 * last count may not have been in it. */
static bool is_unchanged(const struct inbox_space_recount *r, const struct stat *folder,
                         uint64_t now_ms)
{
    return ns_of(&folder->st_mtim) == r->mtime_ns && r->is_settled &&
           now_ms - r->counted_ms < RECOUNT_AT_LEAST_MS;
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
