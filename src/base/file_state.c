#include "base/file_state.h"

static const int64_t ns_per_s = 1000000000;

enum {
    COARSE_S = 2,         /* granularity of FAT */
    COARSE_NS = 10000000, /* granularity of exFAT, which divides that of FAT */
    FINE_NS = 1000,       /* upper bound for all others */
    TICK_MS = 4,          /* of most kernels; with a longer one the caller checks again */
};

static bool is_same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* True if the path no longer names this file. */
static bool is_renamed(const struct stat *now, const char *path)
{
    struct stat named;

    return stat(path, &named) != 0 || named.st_dev != now->st_dev || named.st_ino != now->st_ino;
}

/* True if something other than a write explains the new change time. */
static bool is_other_change(const struct stat *before, const struct stat *now, const char *path)
{
    return before->st_nlink != now->st_nlink || before->st_mode != now->st_mode ||
           before->st_uid != now->st_uid || before->st_gid != now->st_gid || is_renamed(now, path);
}

bool file_state_is_same(const struct stat *before, const struct stat *now, const char *path)
{
    if (before->st_dev != now->st_dev || before->st_ino != now->st_ino ||
        before->st_size != now->st_size || !is_same_time(before->st_mtim, now->st_mtim))
        return false;
    return is_same_time(before->st_ctim, now->st_ctim) || is_other_change(before, now, path);
}

static int64_t ns_of(struct timespec t)
{
    return (int64_t)t.tv_sec * ns_per_s + t.tv_nsec;
}

uint64_t file_state_settles_in_ms(const struct stat *state, struct timespec now)
{
    bool is_coarse =
        state->st_ctim.tv_nsec % COARSE_NS == 0 && state->st_mtim.tv_nsec % COARSE_NS == 0;
    int64_t grain_ns = is_coarse ? COARSE_S * ns_per_s : FINE_NS;
    int64_t left_ns = ns_of(state->st_ctim) + grain_ns - ns_of(now);

    /* Another machine's clock, or ours was set: waiting would not help. */
    if (left_ns < 0 || left_ns > COARSE_S * ns_per_s)
        return 0;
    return (uint64_t)(left_ns / 1000000) + TICK_MS;
}

struct timespec file_state_clock(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME_COARSE, &now);
    return now;
}
