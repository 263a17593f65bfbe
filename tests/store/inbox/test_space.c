#include "store/inbox/space.h"

#include "store/inbox/state.h"
#include "store/store_support.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { KIB = 1024, BLOCK = 4096 };

static struct inbox_space space;
static int dir_fd;

static void begin(void)
{
    make_scratch();
    dir_fd = open(scratch, O_RDONLY | O_DIRECTORY);
    cr_assert_geq(dir_fd, 0);
}

static void end(void)
{
    close(dir_fd);
    remove_scratch();
}

TestSuite(space, .init = begin, .fini = end, .timeout = 20);

static void limit(uint64_t quota_bytes, uint64_t files, uint64_t min_free_bytes)
{
    inbox_space_set_limits(&space, dir_fd,
                           &(struct inbox_space_limits){quota_bytes, files, min_free_bytes});
}

static enum err reserve(uint64_t size)
{
    return inbox_space_reserve(&space, dir_fd, inbox_space_cost(&space, size));
}

static void release(uint64_t size, bool is_kept)
{
    inbox_space_release(&space, inbox_space_cost(&space, size), inbox_space_cost(&space, size),
                        is_kept);
}

static void put_file(const char *name, size_t size)
{
    static char bytes[64 * KIB];
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT, 0600);

    cr_assert_geq(fd, 0);
    cr_assert_leq(size, sizeof bytes);
    cr_assert_eq(write(fd, bytes, size), (ssize_t)size);
    close(fd);
}

static void put_sparse(const char *name, size_t size)
{
    int fd = openat(dir_fd, name, O_WRONLY | O_CREAT, 0600);

    cr_assert_geq(fd, 0);
    cr_assert_eq(ftruncate(fd, (off_t)size), 0);
    close(fd);
}

static uint64_t free_bytes(void)
{
    struct statvfs disk;

    cr_assert_eq(fstatvfs(dir_fd, &disk), 0);
    return (uint64_t)disk.f_bavail * disk.f_frsize;
}

Test(space, a_file_uses_whole_blocks_and_at_least_one)
{
    static const struct {
        uint64_t block, size, cost;
    } rows[] = {
        {0, 0, 4096}, /* block size not known yet */
        {0, 1, 4096},
        {1024, 0, 1024},
        {1024, 1025, 2048},
        {4096, 0, 4096},
        {4096, 1, 4096},
        {4096, 4095, 4096},
        {4096, 4096, 4096},
        {4096, 4097, 8192},
        {4096, 1 << 20, 1 << 20},
        {4096, (1 << 20) + 1, (1 << 20) + 4096},
        {65536, 1, 65536},
        {4096, 2147483647, 2147483648},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        space.block_bytes = rows[i].block;
        cr_expect_eq(inbox_space_cost(&space, rows[i].size), rows[i].cost, "row %zu", i);
    }
}

Test(space, the_block_is_the_file_systems)
{
    struct statvfs disk;

    cr_assert_eq(fstatvfs(dir_fd, &disk), 0);
    inbox_space_open(&space, dir_fd);
    cr_expect_eq(space.block_bytes, disk.f_frsize);
}

/* Number of files of one size that a quota of 1 MiB admits, and the usage counted then. */
Test(space, a_quota_admits_what_fits_in_blocks)
{
    static const struct {
        uint64_t size, files;
    } rows[] = {{0, 256},    {1, 256},     {4095, 256},       {4096, 256}, {4097, 128},
                {8192, 128}, {8193, 85},   {65536, 16},       {500000, 2}, {524288, 2},
                {524289, 1}, {1 << 20, 1}, {(1 << 20) + 1, 0}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t in = 0;

        space = (struct inbox_space){.block_bytes = BLOCK};
        limit(1 << 20, 0, 0);
        while (in < 1000 && reserve(rows[i].size) == ERR_OK)
            in++;
        cr_expect_eq(in, rows[i].files, "%llu bytes: %llu", (unsigned long long)rows[i].size,
                     (unsigned long long)in);
        cr_expect_eq(reserve(rows[i].size), ERR_INBOX_QUOTA);
    }
}

/* The same for files in the inbox: counted from the file system. */
Test(space, existing_files_count_with_their_allocated_size)
{
    static const struct {
        const char *what;
        size_t size;
        bool is_sparse;
        uint64_t min, max;
    } rows[] = {
        {"empty", 0, false, BLOCK, BLOCK},
        {"a byte", 1, false, BLOCK, 2 * BLOCK},
        {"a block less a byte", 4095, false, BLOCK, 2 * BLOCK},
        {"a block", 4096, false, BLOCK, 2 * BLOCK},
        {"a block and a byte", 4097, false, 2 * BLOCK, 3 * BLOCK},
        {"16 blocks", 65536, false, 16 * BLOCK, 18 * BLOCK},
        {"sparse, a byte", 1, true, BLOCK, BLOCK},
        {"sparse, 1 GiB", 1 << 30, true, BLOCK, BLOCK},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        space = (struct inbox_space){.block_bytes = BLOCK};
        if (rows[i].is_sparse)
            put_sparse("f", rows[i].size);
        else
            put_file("f", rows[i].size);
        limit(1 << 30, 0, 0);
        cr_expect(space.used_bytes >= rows[i].min && space.used_bytes <= rows[i].max, "%s: %llu",
                  rows[i].what, (unsigned long long)space.used_bytes);
        cr_expect_eq(space.used_files, 1, "%s", rows[i].what);
        cr_assert_eq(unlinkat(dir_fd, "f", 0), 0);
    }
}

Test(space, only_regular_files_directly_in_it_count)
{
    int below;

    cr_assert_eq(mkdirat(dir_fd, "folder", 0700), 0);
    below = openat(dir_fd, "folder", O_RDONLY | O_DIRECTORY);
    close(openat(below, "f", O_WRONLY | O_CREAT, 0600));
    close(below);
    cr_assert_eq(symlinkat("nowhere", dir_fd, "link"), 0);
    cr_assert_eq(mkfifoat(dir_fd, "fifo", 0600), 0);
    put_file("one", 1);
    put_file("two", 0);
    limit(0, 10, 0);
    cr_expect_eq(space.used_files, 2);
    cr_expect_eq(space.used_bytes, 0, "sizes are not read without a quota");
    limit(1 << 20, 10, 0);
    cr_expect_eq(space.used_files, 2);
    cr_expect_geq(space.used_bytes, 2 * BLOCK);
}

Test(space, the_files_limit_counts_existing_and_incoming_files)
{
    put_file("a", 0);
    limit(0, 3, 0);
    cr_expect_eq(reserve(0), ERR_OK);
    cr_expect_eq(reserve(1 << 20), ERR_OK);
    cr_expect_eq(reserve(0), ERR_INBOX_FILES);
    release(0, true);
    cr_expect_eq(reserve(0), ERR_INBOX_FILES, "a kept file still counts");
    release(1 << 20, false);
    cr_expect_eq(reserve(0), ERR_OK, "a failed file does not count");
    cr_expect_eq(reserve(0), ERR_INBOX_FILES);
    limit(0, 0, 0);
    cr_expect_eq(reserve(0), ERR_OK, "no limit");
}

Test(space, inodes_to_keep_free_are_a_fraction_within_bounds)
{
    static const struct {
        uint64_t all, wanted;
    } rows[] = {{1, 16},        {100, 16},      {1600, 16},      {1700, 17},        {50000, 500},
                {100000, 1000}, {100100, 1000}, {9000000, 1000}, {UINT64_MAX, 1000}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_eq(inbox_space_min_free_files(rows[i].all), rows[i].wanted, "row %zu", i);
}

/* On a tmpfs of `inodes`: number of files accepted before they are refused. */
static unsigned files_on_tmpfs(const char *options, enum err *refused)
{
    unsigned count = 0;
    char name[16];
    int fd;

    cr_assert_eq(mkdirat(dir_fd, "mount", 0700), 0);
    fd = openat(dir_fd, "mount", O_RDONLY | O_DIRECTORY);
    close(fd);
    snprintf(inbox_path, sizeof inbox_path, "%s/mount", scratch);
    cr_assert_eq(mount("none", inbox_path, "tmpfs", 0, options), 0);
    fd = open(inbox_path, O_RDONLY | O_DIRECTORY);
    space = (struct inbox_space){0};
    inbox_space_open(&space, fd);
    while (count < 10000) {
        *refused = inbox_space_reserve(&space, fd, inbox_space_cost(&space, 0));
        if (*refused != ERR_OK)
            break;
        snprintf(name, sizeof name, "%u", count);
        close(openat(fd, name, O_WRONLY | O_CREAT, 0600));
        release(0, true);
        count++;
    }
    close(fd);
    cr_assert_eq(umount(inbox_path), 0);
    cr_assert_eq(unlinkat(dir_fd, "mount", AT_REMOVEDIR), 0);
    return count;
}

Test(space, some_inodes_of_a_file_system_stay_free)
{
    static const struct {
        const char *options;
        unsigned files;
        enum err refused;
    } rows[] = {
        {"size=16m,nr_inodes=17", 1, ERR_MIN_FREE_FILES}, /* the root directory uses one */
        {"size=16m,nr_inodes=16", 0, ERR_MIN_FREE_FILES},
        {"size=16m,nr_inodes=40", 24, ERR_MIN_FREE_FILES},
        {"size=16m,nr_inodes=100", 84, ERR_MIN_FREE_FILES},
        {"size=16m,nr_inodes=5000", 4950, ERR_MIN_FREE_FILES},
        {"size=16m,nr_inodes=0", 10000, ERR_OK}, /* reports 0 of 0, as btrfs does */
    };
    enum err refused;

    if (geteuid() != 0)
        cr_skip_test("only root can mount");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned files = files_on_tmpfs(rows[i].options, &refused);

        cr_expect_eq(files, rows[i].files, "%s: %u", rows[i].options, files);
        cr_expect_eq(refused, rows[i].refused, "%s: %s", rows[i].options, err_text(refused));
    }
}

Test(space, accepts_everything_without_limits)
{
    cr_expect_eq(reserve(0), ERR_OK);
    cr_expect_eq(reserve(1000), ERR_OK);
}

Test(space, incoming_files_count_with_their_announced_size)
{
    uint64_t most = free_bytes() / 5 * 3;

    cr_expect_eq(reserve(most), ERR_OK);
    cr_expect_eq(reserve(most), ERR_MIN_FREE, "both do not fit");
    release(most, false);
    cr_expect_eq(reserve(most), ERR_OK);
}

Test(space, written_bytes_are_not_counted_twice)
{
    uint64_t most = free_bytes() / 5 * 3;

    cr_expect_eq(reserve(most), ERR_OK);
    inbox_space_written(&space, most); /* the file system reports it as used now */
    cr_expect_eq(reserve(most), ERR_OK);
}

Test(space, min_free_bytes_stay_free)
{
    limit(0, 0, free_bytes() / 5 * 3);
    cr_expect_eq(reserve(free_bytes() / 5 * 3), ERR_MIN_FREE);
    cr_expect_eq(reserve(1000), ERR_OK);
    cr_expect_eq(reserve(0), ERR_OK);
    limit(0, 0, free_bytes() / 5 * 6);
    cr_expect_eq(reserve(0), ERR_MIN_FREE, "an empty file needs space too");
}

Test(space, the_quota_counts_existing_and_incoming_files)
{
    inbox_space_open(&space, dir_fd);
    put_file("a", 24 * KIB);
    limit(40 * KIB + KIB, 0, 0);
    cr_expect_eq(reserve(12 * KIB), ERR_OK);
    cr_expect_eq(reserve(4 * KIB + 1), ERR_INBOX_QUOTA);
    cr_expect_eq(reserve(4 * KIB), ERR_OK);
    release(4 * KIB, false);
    cr_expect_eq(reserve(4 * KIB), ERR_OK, "a failed file no longer counts");
}

Test(space, a_kept_file_counts_until_it_is_removed)
{
    limit(40 * KIB, 0, 0);
    cr_assert_eq(reserve(36 * KIB), ERR_OK);
    put_file("a", 36 * KIB);
    release(36 * KIB, true);
    inbox_space_count(&space, dir_fd, true);
    cr_expect_eq(reserve(4 * KIB + 1), ERR_INBOX_QUOTA);
    cr_assert_eq(unlinkat(dir_fd, "a", 0), 0);
    inbox_space_count(&space, dir_fd, true);
    cr_expect_eq(reserve(40 * KIB), ERR_OK);
}

Test(space, counting_keeps_the_reservations_of_incoming_files)
{
    limit(40 * KIB, 10, 0);
    cr_assert_eq(reserve(28 * KIB), ERR_OK);
    for (int i = 0; i < 3; i++)
        inbox_space_count(&space, dir_fd, true);
    cr_expect_eq(space.used_files, 1);
    cr_expect_eq(reserve(12 * KIB + 1), ERR_INBOX_QUOTA);
    cr_expect_eq(reserve(12 * KIB), ERR_OK);
}

Test(space, a_quota_lowered_below_the_usage_refuses_all_files)
{
    put_file("a", 24 * KIB);
    limit(40 * KIB, 0, 0);
    limit(20 * KIB, 0, 0);
    cr_expect_eq(reserve(0), ERR_INBOX_QUOTA);
    limit(0, 0, 0);
    cr_expect_eq(reserve(5000), ERR_OK);
}

/* Recounts a folder that was counted before; `is_read`: the folder is read again. */
Test(space, is_recounted_only_when_it_can_have_changed)
{
    static const struct {
        const char *what;
        uint64_t later_ms;
        bool is_changed, is_read;
    } rows[] = {{"nothing changed", 2000, false, false},
                {"a name was added", 2000, true, true},
                {"nothing changed for a minute", 60000, false, true}};
    struct timespec long_ago[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct inbox_space_recount r = {0};

        space = (struct inbox_space){0};
        limit(0, 100, 0);
        cr_assert_eq(futimens(dir_fd, long_ago), 0);
        inbox_space_recount(&space, &r, dir_fd, 1000);
        atomic_store(&space.used_files, 77); /* a recount would correct it */
        if (rows[i].is_changed)
            put_file("new", 0);
        inbox_space_recount(&space, &r, dir_fd, 1000 + rows[i].later_ms);
        cr_expect_eq(space.used_files != 77, rows[i].is_read, "%s", rows[i].what);
    }
}

Test(space, a_folder_that_has_just_changed_is_recounted)
{
    struct inbox_space_recount r = {0};

    limit(0, 100, 0);
    put_file("a", 0);
    inbox_space_recount(&space, &r, dir_fd, 1000);
    atomic_store(&space.used_files, 77);
    inbox_space_recount(&space, &r, dir_fd, 1001);
    cr_expect_eq(space.used_files, 1);
}

Test(space, a_file_releases_its_reservation_however_it_ends)
{
    static char bytes[3 << 20];
    struct inbox_partial_file file;
    struct settings settings = {.inbox = {.quota_mib = 4, .files_limit = 1}};

    open_inbox(DURABILITY_NONE, 1 << 20);
    inbox_set_limits(inbox, &settings);
    cr_assert_eq(inbox_partial_file_begin(inbox, sizeof bytes, &file), ERR_OK);
    cr_assert_eq(inbox_partial_file_write(&file, bytes, sizeof bytes / 2), ERR_OK);
    cr_expect_eq(inbox->space.pending_bytes, sizeof bytes / 2);
    cr_assert_eq(inbox_partial_file_write(&file, bytes, sizeof bytes / 2), ERR_OK);
    cr_expect_eq(inbox->space.pending_bytes, 0u);
    cr_expect_eq(inbox->space.open_bytes, sizeof bytes);
    cr_expect_eq(inbox_usage(inbox).files, 1u);
    inbox_partial_file_release(inbox, &file, false);
    cr_expect_eq(inbox->space.open_bytes, 0u);
    cr_expect_eq(inbox->space.used_bytes, 0u);
    cr_expect_eq(inbox_usage(inbox).files, 0u);
    close(file.fd);
}
