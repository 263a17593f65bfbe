#include "store/outbox/spool.h"

#include "store/inbox/state.h"
#include "store/store_support.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ME = 1000, OTHER_USER = 1001, LIMIT = 1 << 20 };

static struct outbox_spool *spool;
static uint64_t id;
static char path[OUTBOX_SPOOL_PATH_SIZE];

static void a_spool(void)
{
    make_scratch();
    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    cr_assert_eq(outbox_spool_open(&spool, inbox, LIMIT), ERR_OK);
}

static void clean_up(void)
{
    outbox_spool_close(&spool);
    outbox_spool_close(&spool);
    remove_scratch();
}

static bool is_there(void)
{
    return access(path, F_OK) == 0;
}

Test(spool, keeps_a_file_under_its_own_name_until_it_is_released, .init = a_spool, .fini = clean_up,
     .timeout = 20)
{
    struct stat status;

    cr_assert_eq(outbox_spool_begin(spool, "a letter.txt", 5, ME, 0, &id), ERR_OK);
    cr_assert_eq(outbox_spool_write(spool, id, ME, "hel", 3, 0), ERR_OK);
    cr_assert_eq(outbox_spool_write(spool, id, ME, "lo", 2, 0), ERR_OK);
    cr_assert_eq(outbox_spool_take(spool, id, ME, path), ERR_OK);
    cr_assert_str_eq(strrchr(path, '/'), "/a letter.txt");
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_size, 5);
    cr_assert_eq(status.st_mode & 07777, 0600);
    outbox_spool_release(spool, id);
    cr_assert_not(is_there());
    cr_assert_eq(outbox_spool_bytes(spool), 0u);
    outbox_spool_release(spool, id); /* no-op: already released */
}

Test(spool, files_belong_to_their_user_and_are_sent_once, .init = a_spool, .fini = clean_up,
     .timeout = 20)
{
    cr_assert_eq(outbox_spool_begin(spool, "x", 1, ME, 0, &id), ERR_OK);
    cr_assert_eq(outbox_spool_write(spool, id, OTHER_USER, "y", 1, 0), ERR_NOT_FOUND);
    cr_assert_eq(outbox_spool_write(spool, id, ME, "x", 1, 0), ERR_OK);
    cr_assert_eq(outbox_spool_take(spool, id, OTHER_USER, path), ERR_NOT_FOUND);
    cr_assert_eq(outbox_spool_take(spool, id + 1, ME, path), ERR_NOT_FOUND);
    cr_assert_eq(outbox_spool_take(spool, id, ME, path), ERR_OK);
    cr_assert_eq(outbox_spool_take(spool, id, ME, path), ERR_NOT_FOUND);
    cr_assert_eq(outbox_spool_write(spool, id, ME, "", 0, 0), ERR_NOT_FOUND);
}

Test(spool, accepts_exactly_the_announced_bytes, .init = a_spool, .fini = clean_up, .timeout = 20)
{
    cr_assert_eq(outbox_spool_begin(spool, "x", 2, ME, 0, &id), ERR_OK);
    cr_assert_eq(outbox_spool_take(spool, id, ME, path), ERR_SHRUNK);
    cr_assert_eq(outbox_spool_write(spool, id, ME, "abc", 3, 0), ERR_TOO_LARGE);
    cr_assert_eq(outbox_spool_write(spool, id, ME, "ab", 2, 0), ERR_OK);
    cr_assert_eq(outbox_spool_take(spool, id, ME, path), ERR_OK);
}

Test(spool, reserves_announced_sizes_from_its_limit, .init = a_spool, .fini = clean_up,
     .timeout = 20)
{
    uint64_t other;

    cr_assert_eq(outbox_spool_begin(spool, "large", LIMIT + 1, ME, 0, &id), ERR_TOO_LARGE);
    cr_assert_eq(outbox_spool_begin(spool, "half", LIMIT / 2 + 1, ME, 0, &id), ERR_OK);
    cr_assert_eq(outbox_spool_begin(spool, "other half", LIMIT / 2, ME, 0, &other), ERR_FULL);
    outbox_spool_release(spool, id);
    cr_assert_eq(outbox_spool_begin(spool, "other half", LIMIT / 2, ME, 0, &other), ERR_OK);
}

Test(spool, keeps_disk_space_free, .init = a_spool, .fini = clean_up, .timeout = 20)
{
    struct outbox_spool *huge;

    cr_assert_eq(outbox_spool_open(&huge, inbox, UINT64_MAX), ERR_OK);
    for (unsigned i = 0; i < OUTBOX_SPOOL_FILES_MAX; i++) {
        enum err e = outbox_spool_begin(huge, "x", (uint64_t)1 << 30, ME, 0, &id);

        if (e != ERR_OK) {
            cr_assert_eq(e, ERR_NO_SPACE);
            break;
        }
        cr_assert_lt(i + 1, OUTBOX_SPOOL_FILES_MAX, "no disk is that large");
    }
    outbox_spool_close(&huge);
}

Test(spool, refuses_names_that_are_paths, .init = a_spool, .fini = clean_up, .timeout = 20)
{
    static const char *const names[] = {"", ".", "..", "a/b", "/", "../x"};
    char longest[300];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        cr_assert_eq(outbox_spool_begin(spool, names[i], 1, ME, 0, &id), ERR_INVALID, "%s",
                     names[i]);
    memset(longest, 'n', sizeof longest);
    longest[256] = '\0';
    cr_assert_eq(outbox_spool_begin(spool, longest, 1, ME, 0, &id), ERR_INVALID);
    longest[255] = '\0';
    cr_assert_eq(outbox_spool_begin(spool, longest, 1, ME, 0, &id), ERR_OK);
}

Test(spool, is_disabled_with_a_limit_of_0, .init = a_spool, .fini = clean_up, .timeout = 20)
{
    struct outbox_spool *off;

    cr_assert_eq(outbox_spool_open(&off, inbox, 0), ERR_OK);
    cr_assert_eq(outbox_spool_begin(off, "x", 0, ME, 0, &id), ERR_DISABLED);
    outbox_spool_close(&off);
}

Test(spool, expires_idle_files_but_not_files_being_sent, .init = a_spool, .fini = clean_up,
     .timeout = 20)
{
    uint64_t left;

    cr_assert_eq(outbox_spool_begin(spool, "sent", 0, ME, 0, &id), ERR_OK);
    cr_assert_eq(outbox_spool_take(spool, id, ME, path), ERR_OK);
    cr_assert_eq(outbox_spool_begin(spool, "left", 7, ME, 0, &left), ERR_OK);
    cr_assert_eq(outbox_spool_write(spool, left, ME, "x", 1, 1000), ERR_OK);
    outbox_spool_expire(spool, OUTBOX_SPOOL_IDLE_MS + 999);
    cr_assert_eq(outbox_spool_write(spool, left, ME, "x", 1, 1000), ERR_OK);
    outbox_spool_expire(spool, OUTBOX_SPOOL_IDLE_MS + 1000);
    cr_assert_eq(outbox_spool_write(spool, left, ME, "x", 1, 1000), ERR_NOT_FOUND);
    cr_assert_eq(outbox_spool_bytes(spool), 0u);
    cr_assert(is_there());
}

Test(spool, is_emptied_at_open, .init = a_spool, .fini = clean_up, .timeout = 20)
{
    struct outbox_spool *next;

    cr_assert_eq(outbox_spool_begin(spool, "left", 1, ME, 0, &id), ERR_OK);
    cr_assert_eq(outbox_spool_write(spool, id, ME, "x", 1, 0), ERR_OK);
    cr_assert_eq(outbox_spool_take(spool, id, ME, path), ERR_OK);
    cr_assert_eq(outbox_spool_open(&next, inbox, LIMIT), ERR_OK); /* as after a crash */
    cr_assert_not(is_there());
    cr_assert_eq(outbox_spool_begin(next, "new", 1, ME, 0, &id), ERR_OK, "with the same id");
    outbox_spool_close(&next);
}

Test(spool, a_link_with_its_name_is_not_followed, .init = make_scratch, .fini = clean_up,
     .timeout = 20)
{
    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    cr_assert_eq(symlinkat(scratch, inbox->partial_fd, "spool"), 0);
    cr_assert_neq(outbox_spool_open(&spool, inbox, LIMIT), ERR_OK);
    cr_assert_eq(access(inbox_path, F_OK), 0, "the target of the link is unchanged");
}
