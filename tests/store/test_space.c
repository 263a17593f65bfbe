#include "store/store_priv.h"
#include "store_support.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

static struct space space;
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

static void put_file(const char *name, size_t size)
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

Test(space, takes_everything_without_limits)
{
    cr_expect_eq(space_reserve(&space, dir_fd, 0), ERR_OK);
    cr_expect_eq(space_reserve(&space, dir_fd, 1000), ERR_OK);
}

Test(space, files_under_way_count_with_their_whole_size)
{
    uint64_t most = free_bytes() / 5 * 3;

    cr_expect_eq(space_reserve(&space, dir_fd, most), ERR_OK);
    cr_expect_eq(space_reserve(&space, dir_fd, most), ERR_MIN_FREE, "both do not fit");
    space_release(&space, most, most, false);
    cr_expect_eq(space_reserve(&space, dir_fd, most), ERR_OK);
}

Test(space, what_is_written_is_not_counted_twice)
{
    uint64_t most = free_bytes() / 5 * 3;

    cr_expect_eq(space_reserve(&space, dir_fd, most), ERR_OK);
    space_written(&space, most); /* the disk would show it as used now */
    cr_expect_eq(space_reserve(&space, dir_fd, most), ERR_OK);
}

Test(space, something_stays_free)
{
    space_set_limits(&space, dir_fd, 0, free_bytes() / 5 * 3);
    cr_expect_eq(space_reserve(&space, dir_fd, free_bytes() / 5 * 3), ERR_MIN_FREE);
    cr_expect_eq(space_reserve(&space, dir_fd, 1000), ERR_OK);
    cr_expect_eq(space_reserve(&space, dir_fd, 0), ERR_OK, "an empty file needs no room");
}

Test(space, the_quota_counts_what_stands_there_and_what_is_under_way)
{
    put_file("a", 600);
    space_set_limits(&space, dir_fd, 1000, 0);
    cr_expect_eq(space_reserve(&space, dir_fd, 300), ERR_OK);
    cr_expect_eq(space_reserve(&space, dir_fd, 101), ERR_INBOX_QUOTA);
    cr_expect_eq(space_reserve(&space, dir_fd, 100), ERR_OK);
    space_release(&space, 0, 100, false);
    cr_expect_eq(space_reserve(&space, dir_fd, 100), ERR_OK, "a failed one counts no more");
}

Test(space, a_file_that_is_kept_counts_on_until_it_is_taken_away)
{
    space_set_limits(&space, dir_fd, 1000, 0);
    cr_assert_eq(space_reserve(&space, dir_fd, 900), ERR_OK);
    put_file("a", 900);
    space_release(&space, 0, 900, true);
    space_count(&space, dir_fd);
    cr_expect_eq(space_reserve(&space, dir_fd, 101), ERR_INBOX_QUOTA);
    cr_assert_eq(unlinkat(dir_fd, "a", 0), 0);
    space_count(&space, dir_fd);
    cr_expect_eq(space_reserve(&space, dir_fd, 1000), ERR_OK);
}

Test(space, counting_leaves_files_under_way_alone)
{
    space_set_limits(&space, dir_fd, 1000, 0);
    cr_assert_eq(space_reserve(&space, dir_fd, 700), ERR_OK);
    for (int i = 0; i < 3; i++)
        space_count(&space, dir_fd);
    cr_expect_eq(space_reserve(&space, dir_fd, 301), ERR_INBOX_QUOTA);
    cr_expect_eq(space_reserve(&space, dir_fd, 300), ERR_OK);
}

Test(space, a_quota_that_was_lowered_below_what_stands_there_takes_nothing)
{
    put_file("a", 600);
    space_set_limits(&space, dir_fd, 1000, 0);
    space_set_limits(&space, dir_fd, 500, 0);
    cr_expect_eq(space_reserve(&space, dir_fd, 0), ERR_INBOX_QUOTA);
    space_set_limits(&space, dir_fd, 0, 0);
    cr_expect_eq(space_reserve(&space, dir_fd, 5000), ERR_OK);
}

Test(space, a_file_gives_back_what_it_reserved_however_it_ends)
{
    static char bytes[3 << 20];
    struct inbox_file file;

    open_inbox(DURABILITY_NONE, 1 << 20);
    inbox_set_limits(inbox, 4 << 20, 0);
    cr_assert_eq(inbox_begin(inbox, sizeof bytes, &file), ERR_OK);
    cr_assert_eq(inbox_write(&file, bytes, sizeof bytes / 2), ERR_OK);
    cr_expect_eq(inbox->space.pending_bytes, sizeof bytes / 2);
    cr_assert_eq(inbox_write(&file, bytes, sizeof bytes / 2), ERR_OK);
    cr_expect_eq(inbox->space.pending_bytes, 0u);
    cr_expect_eq(inbox->space.open_bytes, sizeof bytes);
    inbox_release(inbox, &file, false);
    cr_expect_eq(inbox->space.open_bytes, 0u);
    cr_expect_eq(inbox->space.used_bytes, 0u);
    close(file.fd);
}
