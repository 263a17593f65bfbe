#include "store/inbox/place.h"

#include "store/inbox/state.h"
#include "store/store_support.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(inbox_place, .init = make_scratch, .fini = remove_scratch, .timeout = 20);

static char moved[SCRATCH_SIZE + 32], folder[SCRATCH_SIZE + 32], folder_moved[SCRATCH_SIZE + 64];

static void open_here(void)
{
    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    snprintf(moved, sizeof moved, "%s/moved", scratch);
    snprintf(folder, sizeof folder, "%s/.dustwire", inbox_path);
    snprintf(folder_moved, sizeof folder_moved, "%s/.dustwire.old", inbox_path);
}

static void move(const char *from, const char *to)
{
    cr_assert_eq(rename(from, to), 0, "%s to %s: %s", from, to, strerror(errno));
}

static void make(const char *path)
{
    cr_assert(mkdir(path, 0700) == 0 || errno == EEXIST);
}

static void no_inbox(void)
{
    move(inbox_path, moved);
}
static void other_inbox(void)
{
    no_inbox();
    make(inbox_path);
}
static void file_for_inbox(void)
{
    no_inbox();
    close(open(inbox_path, O_WRONLY | O_CREAT, 0600));
}
static void link_to_other(void)
{
    char other[SCRATCH_SIZE + 16];

    no_inbox();
    snprintf(other, sizeof other, "%s/other", scratch);
    make(other);
    cr_assert_eq(symlink(other, inbox_path), 0);
}
static void circle(void)
{
    no_inbox();
    cr_assert_eq(symlink(inbox_path, inbox_path), 0);
}
static void link_to_it(void)
{
    no_inbox();
    cr_assert_eq(symlink(moved, inbox_path), 0);
}
static void inbox_back(void)
{
    if (rmdir(inbox_path) != 0)
        unlink(inbox_path);
    move(moved, inbox_path);
}
static void no_folder(void)
{
    move(folder, folder_moved);
}
static void other_folder(void)
{
    no_folder();
    make(folder);
}
static void link_for_folder(void)
{
    no_folder();
    cr_assert_eq(symlink(".dustwire.old", folder), 0);
}
static void folder_back(void)
{
    if (rmdir(folder) != 0)
        unlink(folder);
    move(folder_moved, folder);
}
static void nothing(void)
{
}

static const struct change {
    const char *what;
    void (*happens)(void), (*undone)(void);
    const char *text; /* in the message; NULL: it is the same folder */
} changes[] = {
    {"nothing", nothing, nothing, NULL},
    {"the inbox moved away", no_inbox, inbox_back, "No such file or directory"},
    {"replaced by another", other_inbox, inbox_back, "it was replaced"},
    {"replaced by a file", file_for_inbox, inbox_back, "it was replaced"},
    {"replaced by a link to another", link_to_other, inbox_back, "it was replaced"},
    {"a link to itself", circle, inbox_back, "symbolic links"},
    {"a link to where it is now", link_to_it, inbox_back, NULL},
    {".dustwire moved away", no_folder, folder_back, ".dustwire is not the folder"},
    {"another .dustwire", other_folder, folder_back, "it was replaced"},
    {"a link for .dustwire", link_for_folder, folder_back, "it was replaced"},
};

static void check_told(const struct change *change, bool is_fault)
{
    char text[INBOX_FAULT_SIZE];
    enum err e = inbox_place_fault(inbox, text, sizeof text);

    cr_expect_eq(e, is_fault ? ERR_NO_INBOX : ERR_OK, "%s", change->what);
    cr_expect_eq(text[0] != '\0', is_fault, "%s: %s", change->what, text);
    if (is_fault)
        cr_expect(strstr(text, change->text) != NULL && strstr(text, inbox->path) != NULL &&
                      strstr(text, "restart dustwired") != NULL,
                  "%s: %s", change->what, text);
}

/* A file is finished only if it is found under its path. */
static void check_commit(const struct change *change, bool is_accepted)
{
    struct commit_request r = written_file(1, "bytes", 5);
    char path[INBOX_PATH_SIZE];

    change->happens();
    commit_all(&r, 1);
    inbox_final_path(inbox, r.record.name, path);
    cr_expect_eq(r.request.result, is_accepted ? ERR_OK : ERR_NO_INBOX, "%s: %s", change->what,
                 err_text(r.request.result));
    cr_expect_eq(access(path, F_OK) == 0, is_accepted, "%s", change->what);
    check_told(change, !is_accepted);
    change->undone();
    cr_expect_eq(faccessat(inbox->dir_fd, r.record.name, F_OK, 0) == 0, is_accepted, "%s",
                 change->what);
}

Test(inbox_place, a_file_is_finished_only_under_its_path)
{
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const struct change *change = &changes[i];
        struct inbox_partial_file file;

        open_here();
        check_commit(change, change->text == NULL);
        if (change->text != NULL) {
            cr_expect_eq(inbox_partial_file_begin(inbox, 5, &file), ERR_NO_INBOX, "%s",
                         change->what);
            cr_expect_eq(inbox_place_check(inbox), ERR_OK, "%s", change->what);
        }
        check_told(change, false);
        commit_file(2, "later");
        inbox_close(&inbox);
        remove_tree(inbox_path);
    }
}

Test(inbox_place, both_checks_detect_each_change_and_the_full_one_clears_it)
{
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        const struct change *change = &changes[i];
        bool is_fault = change->text != NULL;

        open_here();
        for (int full = 0; full < 2; full++) {
            change->happens();
            cr_expect_eq(full ? inbox_place_check(inbox) : inbox_place_check_folders(inbox),
                         is_fault ? ERR_NO_INBOX : ERR_OK, "%s", change->what);
            check_told(change, is_fault);
            change->undone();
            cr_expect_eq(inbox_place_check_folders(inbox), ERR_OK, "%s", change->what);
            check_told(change, is_fault);
            cr_expect_eq(inbox_place_check(inbox), ERR_OK, "%s", change->what);
            check_told(change, false);
        }
        inbox_close(&inbox);
        remove_tree(inbox_path);
    }
}

Test(inbox_place, the_lock_file_is_recreated_and_locked)
{
    char lock[SCRATCH_SIZE + 48], problem[512];
    struct inbox *other = NULL;

    open_here();
    snprintf(lock, sizeof lock, "%s/lock", folder);
    cr_assert_eq(unlink(lock), 0);
    cr_expect_eq(inbox_place_check(inbox), ERR_OK);
    cr_expect_eq(access(lock, F_OK), 0);
    cr_expect_eq(
        inbox_open(&other, inbox_path, DURABILITY_NONE, LIMIT_BYTES, problem, sizeof problem),
        ERR_BUSY);
}

Test(inbox_place, two_daemons_with_one_inbox_are_detected)
{
    char lock[SCRATCH_SIZE + 48], text[INBOX_FAULT_SIZE];
    struct inbox *first;
    struct inbox_partial_file file;

    open_here();
    first = inbox;
    snprintf(lock, sizeof lock, "%s/lock", folder);
    cr_assert_eq(unlink(lock), 0);
    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    cr_expect_eq(inbox_place_check(first), ERR_NO_INBOX);
    inbox_place_fault(first, text, sizeof text);
    cr_expect(strstr(text, "another dustwired uses it now") != NULL, "%s", text);
    cr_expect_eq(inbox_partial_file_begin(first, 5, &file), ERR_NO_INBOX);
    cr_expect_eq(inbox_place_check(inbox), ERR_OK);
    inbox_close(&inbox);
    cr_expect_eq(inbox_place_check(first), ERR_OK, "the other is closed");
    inbox_close(&first);
}

Test(inbox_place, an_inbox_that_is_not_writable_is_reported)
{
    char text[INBOX_FAULT_SIZE];
    struct inbox_partial_file file;
    bool is_root = geteuid() == 0;

    if (is_root) {
        cr_assert_eq(chown(scratch, 65534, 65534), 0);
        cr_assert_eq(seteuid(65534), 0);
    }
    open_here();
    cr_assert_eq(fchmod(inbox->dir_fd, 0), 0);
    cr_expect_eq(inbox_place_check(inbox), ERR_DENIED);
    cr_expect_eq(inbox_place_fault(inbox, text, sizeof text), ERR_DENIED);
    cr_expect(strstr(text, "Permission denied") != NULL, "%s", text);
    cr_expect_eq(inbox_partial_file_begin(inbox, 5, &file), ERR_DENIED);
    cr_assert_eq(fchmod(inbox->dir_fd, 0700), 0);
    cr_expect_eq(inbox_place_check(inbox), ERR_OK);
    cr_expect_eq(inbox_place_fault(inbox, text, sizeof text), ERR_OK);
    if (is_root) {
        cr_assert_eq(seteuid(0), 0);
        cr_assert_eq(prctl(PR_SET_DUMPABLE, 1), 0); /* a leak checker needs it */
    }
}

Test(inbox_place, one_transient_error_refuses_no_other_file)
{
    struct inbox_partial_file file;
    char text[INBOX_FAULT_SIZE];

    open_here();
    inbox_place_note_error(inbox, ERR_READ_ONLY);
    cr_expect_eq(inbox_place_fault(inbox, text, sizeof text), ERR_READ_ONLY);
    cr_expect(strstr(text, "is not writable") != NULL, "%s", text);
    cr_assert_eq(inbox_partial_file_begin(inbox, 5, &file), ERR_OK);
    cr_expect_eq(inbox_partial_file_write(&file, "whole", 5), ERR_OK);
    inbox_partial_file_release(inbox, &file, false);
    close(file.fd);
    cr_expect_eq(inbox_place_check(inbox), ERR_OK);
    cr_expect_eq(inbox_place_fault(inbox, text, sizeof text), ERR_OK);
}
