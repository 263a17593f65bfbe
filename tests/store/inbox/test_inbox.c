#include "store/inbox/inbox.h"

#include "store/inbox/state.h"
#include "store/journal/journal.h"
#include "store/journal/record.h"
#include "store/name.h"
#include "store/store_support.h"
#include "support/folders.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static enum err try_open(const char *path, char problem[512])
{
    struct inbox *other = NULL;
    enum err e = inbox_open(&other, path, DURABILITY_NONE, LIMIT_BYTES, problem, 512);

    cr_assert(e != ERR_OK || other != NULL);
    inbox_close(&other);
    return e;
}

Test(inbox, is_created_with_its_parents_for_its_owner_only, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct stat status;

    snprintf(inbox_path, sizeof inbox_path, "%s/a/b/", scratch);
    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    cr_assert_eq(fstat(inbox->dir_fd, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0700);
    cr_assert_eq(fstat(inbox->partial_fd, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0700);
}

Test(inbox, gives_an_absolute_final_path_though_opened_by_a_relative_one, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    char path[INBOX_PATH_SIZE], problem[512];

    cr_assert_eq(chdir(scratch), 0);
    cr_assert_eq(inbox_open(&inbox, "in", DURABILITY_NONE, LIMIT_BYTES, problem, sizeof problem),
                 ERR_OK);
    inbox_final_path(inbox, "x.in", path);
    cr_assert_eq(path[0], '/');
    cr_assert_not_null(strstr(path, "/in/x.in"));
}

Test(inbox, a_file_of_its_name_is_refused_with_a_message, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    char problem[512];
    int fd = open(inbox_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    close(fd);
    cr_assert_neq(try_open(inbox_path, problem), ERR_OK);
    cr_assert_not_null(strstr(problem, inbox_path));
    cr_assert_not_null(strstr(problem, "[inbox] path"));
}

Test(inbox, a_path_below_a_file_or_in_proc_is_refused_with_a_message, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    char problem[512], below[SCRATCH_SIZE + 32];
    int fd = open(inbox_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    close(fd);
    snprintf(below, sizeof below, "%s/deep", inbox_path);
    cr_assert_neq(try_open(below, problem), ERR_OK);
    cr_assert_not_null(strstr(problem, below));
    cr_assert_neq(try_open("/proc/dustwire", problem), ERR_OK);
    cr_assert_not_null(strstr(problem, "/proc/dustwire"));
    cr_assert_eq(try_open("", problem), ERR_INVALID);
}

Test(inbox, a_link_in_place_of_the_partial_directory_is_not_followed, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    char problem[512], link[SCRATCH_SIZE + 32];

    cr_assert_eq(mkdir(inbox_path, 0700), 0);
    snprintf(link, sizeof link, "%s/.dustwire", inbox_path);
    cr_assert_eq(symlink(scratch, link), 0);
    cr_assert_neq(try_open(inbox_path, problem), ERR_OK);
    cr_assert_not_null(strstr(problem, ".dustwire"));
}

/* Only root can create these: files of another user. */
static void plant_link(const char *target, const char *path, uid_t owner)
{
    cr_assert_eq(symlink(target, path), 0);
    cr_assert_eq(lchown(path, owner, (gid_t)-1), 0);
}

static void need_root(void)
{
    if (geteuid() != 0)
        cr_skip_test("only root can create another user's link");
}

Test(inbox, does_not_follow_a_link_of_another_user, .init = make_scratch, .fini = remove_scratch,
     .timeout = 20)
{
    char problem[512], real[SCRATCH_SIZE + 32], below[SCRATCH_SIZE + 64];

    need_root();
    snprintf(real, sizeof real, "%s/elsewhere", scratch);
    cr_assert_eq(mkdir(real, 0700), 0);
    plant_link(real, inbox_path, 65534);
    snprintf(below, sizeof below, "%s/deep/inbox", inbox_path);
    cr_assert_eq(try_open(inbox_path, problem), ERR_DENIED);
    cr_assert_not_null(strstr(problem, "is a symbolic link owned by another user"));
    cr_assert_eq(try_open(below, problem), ERR_DENIED);
    cr_assert_not_null(strstr(problem, "is a symbolic link owned by another user"));
    snprintf(below, sizeof below, "%s/deep", real);
    cr_assert_eq(access(below, F_OK), -1, "nothing was created in its target");
}

Test(inbox, follows_absolute_and_relative_links_of_its_own_user, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    char problem[512], real[SCRATCH_SIZE + 32], path[INBOX_PATH_SIZE];

    snprintf(real, sizeof real, "%s/elsewhere", scratch);
    cr_assert_eq(mkdir(real, 0700), 0);
    cr_assert_eq(symlink("elsewhere", inbox_path), 0);
    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    inbox_final_path(inbox, "x.in", path);
    cr_assert_eq(strncmp(path, real, strlen(real)), 0, "%s", path);
    inbox_close(&inbox);
    cr_assert_eq(unlink(inbox_path), 0);
    cr_assert_eq(symlink(real, inbox_path), 0);
    cr_assert_eq(try_open(inbox_path, problem), ERR_OK);
}

Test(inbox, a_loop_of_links_is_an_error, .init = make_scratch, .fini = remove_scratch,
     .timeout = 20)
{
    char problem[512];

    cr_assert_eq(symlink(inbox_path, inbox_path), 0);
    cr_assert_neq(try_open(inbox_path, problem), ERR_OK);
    cr_assert_not_null(strstr(problem, "[inbox] path"));
}

Test(inbox, a_partial_directory_of_another_user_is_refused, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    char problem[512], partial[SCRATCH_SIZE + 32];

    need_root();
    snprintf(partial, sizeof partial, "%s/.dustwire", inbox_path);
    cr_assert_eq(mkdir(inbox_path, 0700), 0);
    cr_assert_eq(mkdir(partial, 0777), 0);
    cr_assert_eq(chown(partial, 65534, (gid_t)-1), 0);
    cr_assert_neq(try_open(inbox_path, problem), ERR_OK);
    cr_assert_not_null(strstr(problem, ".dustwire"));
}

Test(inbox, no_link_in_place_of_its_lock_or_journal_is_followed, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    static const char *const names[] = {"lock", "journal", "try-rename"};
    char problem[512], target[SCRATCH_SIZE + 32], link[SCRATCH_SIZE + 64];
    struct stat status;

    snprintf(target, sizeof target, "%s/target", scratch);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        cr_assert_eq(try_open(inbox_path, problem), ERR_OK, "%s", problem);
        snprintf(link, sizeof link, "%s/.dustwire/%s", inbox_path, names[i]);
        unlink(link);
        cr_assert_eq(symlink(target, link), 0);
        cr_assert_neq(try_open(inbox_path, problem), ERR_OK, "%s", names[i]);
        cr_assert_eq(lstat(target, &status), -1, "%s was written through", names[i]);
        unlink(link);
    }
}

Test(inbox, is_busy_until_the_process_that_holds_it_exits, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    int ready[2];
    char problem[512], byte, pid_text[24];
    pid_t holder;

    cr_assert_eq(pipe(ready), 0);
    holder = fork();
    if (holder == 0) {
        open_inbox(DURABILITY_NONE, LIMIT_BYTES);
        byte = 'r';
        if (write(ready[1], &byte, 1) != 1)
            _exit(1);
        pause();
        _exit(0);
    }
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    cr_assert_eq(try_open(inbox_path, problem), ERR_BUSY);
    cr_assert_not_null(strstr(problem, "another dustwired"));
    snprintf(pid_text, sizeof pid_text, "%ld", (long)holder);
    cr_assert_not_null(strstr(problem, pid_text));
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    cr_assert_eq(try_open(inbox_path, problem), ERR_OK);
    close(ready[0]);
    close(ready[1]);
}

Test(inbox, two_in_one_process_exclude_each_other_too, .init = make_scratch, .fini = remove_scratch,
     .timeout = 20)
{
    char problem[512];

    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    cr_assert_eq(try_open(inbox_path, problem), ERR_BUSY);
}

/* --- crashes: a child does the steps up to one, and is killed there ----------------------------
 */

enum step { BEGUN, WRITTEN, IN_JOURNAL, RENAMED, COMMITTED, REPORTED };

static void go_until(enum step last)
{
    struct commit_request r;

    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    r = written_file(7, "hello", last == BEGUN ? 0 : 5);
    if (last >= COMMITTED) {
        commit_all(&r, 1);
        if (last == REPORTED)
            mark_reported(7);
    } else if (last >= IN_JOURNAL) {
        journal_file_only(&r);
    }
    if (last == RENAMED)
        renameat(inbox_partial_file_folder(inbox, r.file.name), r.file.name, inbox->dir_fd,
                 r.file.name);
    raise(SIGKILL);
}

static void crash_at(enum step last)
{
    int status;
    pid_t child = fork();

    if (child == 0)
        go_until(last);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
}

static void expect_after_crash(enum step last, unsigned removed, unsigned finished, unsigned failed,
                               unsigned standing)
{
    char partial_path[SCRATCH_SIZE + 64], second_path[SCRATCH_SIZE + 64];
    struct unreported_seen seen;

    crash_at(last);
    snprintf(partial_path, sizeof partial_path, "%s/.dustwire", inbox_path);
    snprintf(second_path, sizeof second_path, "%s/.dustwire/partial", inbox_path);
    for (int again = 0; again < 2; again++) { /* a second start finds the same */
        seen = unreported_now();
        cr_assert_eq(seen.finished, finished);
        cr_assert_eq(seen.failed, failed);
        cr_assert_eq(inbox_recovery(inbox)->partial_files, again == 0 ? removed : 0);
        cr_assert_eq(inbox_recovery(inbox)->unreported_finished, finished);
        cr_assert_eq(inbox_recovery(inbox)->unreported_failed, failed);
        cr_assert_eq(folders_count(inbox_path, ".in"), standing);
        cr_assert_eq(folders_count(partial_path, ".in"), 0);
        cr_assert_eq(folders_count(second_path, ".in"), 0);
        reopen_inbox(DURABILITY_FULL);
    }
    mark_reported(7);
    reopen_inbox(DURABILITY_FULL);
    seen = unreported_now();
    cr_assert_eq(seen.finished + seen.failed, 0);
}

Test(inbox, killed_after_begin_leaves_nothing, .init = make_scratch, .fini = remove_scratch,
     .timeout = 20)
{
    expect_after_crash(BEGUN, 1, 0, 0, 0);
}

Test(inbox, killed_after_write_leaves_nothing, .init = make_scratch, .fini = remove_scratch,
     .timeout = 20)
{
    expect_after_crash(WRITTEN, 1, 0, 0, 0);
}

Test(inbox, killed_between_journal_and_rename_owes_failed, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    expect_after_crash(IN_JOURNAL, 1, 0, 1, 0);
}

Test(inbox, killed_after_rename_owes_finished, .init = make_scratch, .fini = remove_scratch,
     .timeout = 20)
{
    expect_after_crash(RENAMED, 0, 1, 0, 1);
}

Test(inbox, killed_after_commit_owes_finished, .init = make_scratch, .fini = remove_scratch,
     .timeout = 20)
{
    expect_after_crash(COMMITTED, 0, 1, 0, 1);
}

Test(inbox, killed_after_the_report_owes_nothing, .init = make_scratch, .fini = remove_scratch,
     .timeout = 20)
{
    expect_after_crash(REPORTED, 0, 0, 0, 1);
}

Test(inbox, a_file_removed_before_its_report_was_marked_is_finished, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    char path[INBOX_PATH_SIZE];
    struct commit_request r;

    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    r = written_file(9, "hello", 5);
    commit_all(&r, 1);
    inbox_final_path(inbox, r.file.name, path);
    cr_assert_eq(unlink(path), 0);
    reopen_inbox(DURABILITY_NONE);
    cr_assert_eq(unreported_now().finished, 1);
    cr_assert_eq(unreported_now().failed, 0);
}

Test(inbox, a_file_truncated_by_a_power_cut_is_removed_and_to_be_reported_as_failed,
     .init = make_scratch, .fini = remove_scratch, .timeout = 20)
{
    static const struct timespec early[2];
    char path[INBOX_PATH_SIZE];
    struct commit_request r;

    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    r = written_file(9, "hello", 5);
    commit_all(&r, 1);
    inbox_final_path(inbox, r.file.name, path);
    cr_assert_eq(truncate(path, 0), 0);
    cr_assert_eq(utimensat(AT_FDCWD, path, early, 0), 0); /* with its original time */
    reopen_inbox(DURABILITY_NONE);
    cr_assert_eq(unreported_now().failed, 1);
    cr_assert_eq(access(path, F_OK), -1);
}

/* --- transfer ids ------------------------------------------------------------------------------
 */

Test(inbox, ids_of_successive_runs_do_not_overlap, .init = make_scratch, .fini = remove_scratch,
     .timeout = 20)
{
    struct transfer_ids first, second;

    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    cr_assert_eq(inbox_first_ids(inbox, &first), ERR_OK);
    cr_assert_eq(first.next, 1);
    cr_assert_eq(first.end - first.next, TRANSFER_IDS_BLOCK);
    reopen_inbox(DURABILITY_FULL);
    cr_assert_eq(inbox_first_ids(inbox, &second), ERR_OK);
    cr_assert_eq(second.next, first.end);
}

Test(inbox, ids_wrap_and_skip_unreported_ids, .init = make_scratch, .fini = remove_scratch,
     .timeout = 20)
{
    struct journal_record mark = {.kind = JOURNAL_RECORD_IDS, .number = 99999990};
    struct transfer_ids ids;

    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    commit_file(1, "one");
    commit_file(2, "two");
    commit_file(1000, "thousand");
    cr_assert_eq(journal_add(inbox->journal, &mark), ERR_OK);
    cr_assert_eq(inbox_first_ids(inbox, &ids), ERR_OK);
    cr_assert_eq(ids.next, 99999990);
    cr_assert_eq(ids.end, 100000000);
    reopen_inbox(DURABILITY_NONE);
    cr_assert_eq(inbox_first_ids(inbox, &ids), ERR_OK);
    cr_assert_eq(ids.next, 3);
    cr_assert_eq(ids.end, 1000);
    cr_assert_eq(inbox_first_ids(inbox, &ids), ERR_OK);
    cr_assert_eq(ids.next, 1001);
}

/* --- what was received -------------------------------------------------------------------------
 */

struct inbox_received {
    size_t count;
    uint32_t ids[8];
    bool is_reported[8];
    char idurl[64];
    struct address peer;
};

static void take_received(void *ctx, const struct journal_file *record, bool is_reported)
{
    struct inbox_received *to = ctx;

    cr_assert_lt(to->count, 8);
    to->ids[to->count] = record->transfer_id;
    to->is_reported[to->count++] = is_reported;
    snprintf(to->idurl, sizeof to->idurl, "%s", record->idurl);
    to->peer = record->peer;
}

Test(inbox, lists_received_files_since_a_time_page_by_page, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct inbox_received all = {0}, late = {0}, page = {0};

    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    for (uint32_t id = 1; id <= 4; id++) {
        struct commit_request r = written_file(id, "x", 1);

        r.record.committed_us = 1000 * id;
        r.record.idurl = "a b\t%\n";
        commit_all(&r, 1);
    }
    mark_reported(2);
    cr_assert_eq(inbox_each_received(inbox, 0, 0, 100, take_received, &all), ERR_OK);
    cr_assert_eq(all.count, 4);
    cr_assert(!all.is_reported[0] && all.is_reported[1] && !all.is_reported[2]);
    cr_assert_str_eq(all.idurl, "a b\t%\n");
    cr_assert_eq(all.peer.port, 7771);
    cr_assert_eq(inbox_each_received(inbox, 3000, 0, 100, take_received, &late), ERR_OK);
    cr_assert_eq(late.count, 2);
    cr_assert_eq(late.ids[0], 3);
    cr_assert_eq(inbox_each_received(inbox, 0, 1, 2, take_received, &page), ERR_OK);
    cr_assert_eq(page.count, 2);
    cr_assert_eq(page.ids[0], 2);
    cr_assert_eq(page.ids[1], 3);
}

Test(inbox, does_not_list_a_file_that_was_not_stored, .init = make_scratch, .fini = remove_scratch,
     .timeout = 20)
{
    struct inbox_received all = {0};
    struct commit_request r;

    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    r = written_file(5, "x", 1);
    journal_file_only(&r);
    close(r.file.fd);
    reopen_inbox(DURABILITY_NONE);
    mark_reported(5);
    cr_assert_eq(inbox_each_received(inbox, 0, 0, 100, take_received, &all), ERR_OK);
    cr_assert_eq(all.count, 0);
}
