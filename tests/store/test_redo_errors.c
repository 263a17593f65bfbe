/* A disk that refuses, and what a start makes of a log after it. */
#include "store/redo_keeper.h"
#include "store/redo_support.h"
#include "store/store_support.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char why[1024];

static enum err start(void)
{
    inbox_close(&inbox);
    return inbox_open(&inbox, inbox_path, DURABILITY_FULL, LIMIT_BYTES, why, sizeof why);
}

static void set_time(const struct commit_request *r, time_t seconds)
{
    struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};

    cr_assert_eq(utimensat(inbox->dir_fd, r->file.name, times, 0), 0);
}

static void write_over(const struct commit_request *r, const char *text)
{
    int fd = openat(inbox->dir_fd, r->file.name, O_WRONLY | O_TRUNC | O_CLOEXEC);

    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static ino_t number_of_journal(void)
{
    struct stat status;

    cr_assert_eq(fstatat(inbox->partial_fd, "journal", &status, 0), 0);
    return status.st_ino;
}

/* --- a start in the same run of the kernel -----------------------------------------------------
 */

Test(redo_errors, a_start_writes_once_more_what_no_sync_has_confirmed_and_is_still_there,
     .init = make_scratch, .fini = remove_scratch, .timeout = 20)
{
    struct commit_request whole, spoilt, changed, taken;
    ino_t before, journal;

    open_with_log_of_this_run();
    whole = logged_file(1, "whole", 5);
    spoilt = logged_file(2, "spoilt", 6);
    changed = logged_file(3, "changed", 7);
    taken = logged_file(4, "taken", 5);
    lose_data(&spoilt, 0); /* its pages are gone, and the disk never had them */
    set_time(&spoilt, 1);
    write_over(&changed, "CHANGED");
    set_time(&changed, 2000000000);
    lose_name(&taken);
    before = number_of(&whole);
    journal = number_of_journal();
    cr_assert_eq(start(), ERR_OK, "%s", why);
    cr_assert_neq(number_of(&whole), before);
    cr_assert_neq(number_of_journal(), journal);
    cr_assert(is_in_inbox(whole.file.name, "whole", 5));
    cr_assert(is_in_inbox(spoilt.file.name, "spoilt", 6));
    cr_assert(is_in_inbox(changed.file.name, "CHANGED", 7));
    cr_assert_not(is_in_inbox(taken.file.name, "taken", 5));
    cr_assert_eq(owed_now().finished, 4);
    cr_assert_eq(inbox_recovery(inbox)->written_again, 0);
}

Test(redo_errors, the_files_of_a_journal_that_has_lost_records_are_lost_and_not_taken_away,
     .init = make_scratch, .fini = remove_scratch, .timeout = 20)
{
    struct commit_request first, second;
    uint64_t between;

    open_with_log_of_this_run();
    first = logged_file(1, "a", 1);
    between = journal_size(inbox->journal);
    second = logged_file(2, "b", 1);
    lose_journal(between);
    lose_name(&first);
    lose_name(&second);
    cr_assert_eq(start(), ERR_OK, "%s", why);
    cr_assert(is_in_inbox(first.file.name, "a", 1));
    cr_assert(is_in_inbox(second.file.name, "b", 1));
    cr_assert_eq(owed_now().finished, 2);
}

Test(redo_errors, a_journal_of_reported_files_beyond_its_limit_loses_none_of_the_logs,
     .init = make_scratch, .fini = remove_scratch, .timeout = 20)
{
    struct commit_request r, mark = {.kind = COMMIT_REPORTED, .record = {.transfer_id = 1}};

    open_with_log_of_this_run();
    r = logged_file(1, "taken", 5);
    run_batch(&mark, 1);
    lose_name(&r);
    inbox_close(&inbox);
    cr_assert_eq(inbox_open(&inbox, inbox_path, DURABILITY_FULL, 100 /* bytes */, why, sizeof why),
                 ERR_OK);
    cr_assert_not(is_in_inbox(r.file.name, "taken", 5), "it was taken away, not lost");
    cr_assert_eq(owed_now().finished, 0);
}

Test(redo_errors, a_kernel_whose_run_is_not_known_gets_no_log_and_what_is_in_one_is_not_lost,
     .init = make_scratch, .fini = remove_scratch, .timeout = 20)
{
    struct commit_request r;

    open_with_log_of_this_run();
    inbox->boot[0] = '\0';
    r = logged_file(1, "x", 1);
    lose_name(&r);
    redo_close(&inbox->redo);
    cr_assert_eq(redo_recover(inbox, why), ERR_OK);
    cr_assert(is_in_inbox(r.file.name, "x", 1));
    inbox_set_redo(inbox, SMALL_LOG);
    cr_assert_null(inbox->redo);
    cr_assert_not(is_partial("redo"));
    commit_file(2, "y");
    cr_assert_not(is_partial("redo"));
}

/* --- errors at a start -------------------------------------------------------------------------
 */

Test(redo_errors, a_start_whose_sync_fails_is_refused_and_the_next_one_writes_everything_again,
     .init = make_scratch, .fini = remove_scratch, .timeout = 20)
{
    struct commit_request r;
    ino_t first;

    open_with_log();
    r = logged_file(1, "x", 1);
    lose_name(&r);
    bad_disk.syncfs_number = 2; /* the first one is for the errors of before */
    cr_assert_neq(start(), ERR_OK);
    cr_assert_not_null(strstr(why, ".dustwire/redo"));
    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    first = number_of(&r);
    cr_assert_eq(inbox_recovery(inbox)->written_again, 1, "although the page cache had it");
    cr_assert_neq(first, 0);
}

Test(redo_errors, an_error_of_before_the_start_does_not_refuse_it, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct commit_request r;

    open_with_log_of_this_run();
    r = logged_file(1, "x", 1);
    bad_disk.syncfs_number = 1;
    cr_assert_eq(start(), ERR_OK, "%s", why);
    cr_assert(is_in_inbox(r.file.name, "x", 1));
    cr_assert_not(redo_has_blocks(inbox->redo));
    cr_assert_not(inbox->redo->is_suspect[0], "made up for");
}

Test(redo_errors, a_log_that_cannot_be_read_refuses_the_start_and_is_kept, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    static const off_t places[] = {SMALL_LOG / 2, REDO_ALIGN, 2 * REDO_ALIGN, 3 * REDO_ALIGN};
    struct commit_request first, second;

    open_with_log();
    first = logged_file(1, "x", 1);
    second = logged_file(2, "y", 1);
    lose_name(&first);
    lose_name(&second);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        bad_disk.log_read_at = places[i];
        cr_assert_neq(start(), ERR_OK, "at %ld", (long)places[i]);
        cr_assert_not_null(strstr(why, ".dustwire/redo"));
    }
    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    cr_assert(is_in_inbox(first.file.name, "x", 1));
    cr_assert(is_in_inbox(second.file.name, "y", 1));
}

Test(redo_errors, what_stands_in_the_place_of_the_log_is_named, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    cr_assert_eq(mkdirat(inbox->partial_fd, "redo", 0700), 0);
    cr_assert_neq(start(), ERR_OK);
    cr_assert_not_null(strstr(why, "redo is no file"), "%s", why);
}

Test(redo_errors, a_log_whose_making_was_cut_off_goes_at_the_start, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    int fd;

    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    fd = openat(inbox->partial_fd, "redo.new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    close(fd);
    cr_assert_eq(start(), ERR_OK, "%s", why);
    cr_assert_not(is_partial("redo.new"));
}

Test(redo_errors, no_log_is_made_of_what_is_to_stay_free, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    atomic_store(&inbox->space.min_free_bytes, (uint64_t)1 << 60);
    cr_assert_eq(redo_make(&inbox->redo, inbox, SMALL_LOG), ERR_MIN_FREE);
    cr_assert_not(is_partial("redo.new"));
}

/* --- epochs ------------------------------------------------------------------------------------
 */

static uint64_t epoch_on_disk(unsigned half)
{
    uint64_t epoch;
    int fd = open_log();

    cr_assert_eq(pread(fd, &epoch, sizeof epoch, half * (SMALL_LOG / 2) + 8), sizeof epoch);
    close(fd);
    return epoch;
}

Test(redo_errors, a_start_begins_both_halves_anew_the_one_that_is_written_first_earlier,
     .init = make_scratch, .fini = remove_scratch, .timeout = 20)
{
    const struct redo_half *halves;
    uint64_t before[2];

    open_with_log_of_this_run();
    logged_file(1, "x", 1);
    redo_retire(inbox->redo);
    bad_disk.fdatasync_number = 1; /* the disk may have the old epoch, the page cache has the new */
    cr_assert_neq(redo_clean(inbox->redo, &inbox->redo->halves[0]), ERR_OK);
    for (unsigned i = 0; i < 2; i++)
        before[i] = epoch_on_disk(i);
    cr_assert_eq(start(), ERR_OK, "%s", why);
    halves = inbox->redo->halves;
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_gt(halves[i].epoch, before[i]);
        cr_assert_eq(epoch_on_disk(i), halves[i].epoch);
    }
    cr_assert_eq(inbox->redo->current, &halves[0]);
    cr_assert_lt(halves[0].epoch, halves[1].epoch);
}

Test(redo_errors, a_start_whose_new_epochs_cannot_be_synced_is_refused, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct commit_request r;

    open_with_log();
    r = logged_file(1, "x", 1);
    lose_name(&r);
    bad_disk.fdatasync_number = 2; /* the first is the journal's */
    cr_assert_neq(start(), ERR_OK);
    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    cr_assert(is_in_inbox(r.file.name, "x", 1));
}

/* The mark of a report must not be read before its file, wherever the last run ended. */
Test(redo_errors, a_file_and_its_mark_in_two_halves_are_read_in_that_order, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct commit_request mark = {.kind = COMMIT_REPORTED, .record = {.transfer_id = 2}};
    uint64_t before;

    open_with_log_of_this_run();
    logged_file(1, "a", 1);
    redo_retire(inbox->redo);
    cr_assert_eq(redo_clean(inbox->redo, &inbox->redo->halves[0]), ERR_OK);
    cr_assert_eq(start(), ERR_OK, "%s", why);
    snprintf(inbox->boot, sizeof inbox->boot, "before the power cut");
    before = journal_size(inbox->journal);
    logged_file(2, "b", 1);
    redo_retire(inbox->redo);
    run_batch(&mark, 1);
    logged_file(3, "c", 1);
    lose_journal(before);
    cr_assert_eq(start(), ERR_OK, "%s", why);
    cr_assert_eq(owed_now().finished, 2, "1 and 3");
}

/* --- while it runs -----------------------------------------------------------------------------
 */

Test(redo_errors, an_error_told_while_a_half_is_written_anew_is_not_lost_to_the_other,
     .init = make_scratch, .fini = remove_scratch, .timeout = 20)
{
    struct redo_half *first, *second;
    struct commit_request r;
    ino_t before;

    open_with_log_of_this_run();
    first = inbox->redo->current;
    logged_file(1, "a", 1);
    redo_retire(inbox->redo);
    second = inbox->redo->current;
    r = logged_file(2, "b", 1);
    before = number_of(&r);
    inbox->redo->is_suspect[0] = true;
    bad_disk.syncfs_number = 2;
    cr_assert_neq(redo_settle(inbox->redo, first), ERR_OK);
    cr_assert_eq(redo_settle(inbox->redo, second), ERR_OK);
    cr_assert_neq(number_of(&r), before);
    before = number_of(&r);
    cr_assert_eq(redo_settle(inbox->redo, first), ERR_OK, "and itself it is written once more");
    cr_assert_eq(number_of(&r), before);
}

Test(redo_errors, a_half_that_cannot_be_read_is_not_settled, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct commit_request r;
    ino_t before;

    open_with_log_of_this_run();
    logged_file(1, "a", 1);
    r = logged_file(2, "b", 1);
    before = number_of(&r);
    bad_disk.syncfs_number = 1;
    bad_disk.log_read_at = 2 * REDO_ALIGN;
    cr_assert_neq(redo_settle(inbox->redo, inbox->redo->current), ERR_OK);
    cr_assert_eq(redo_settle(inbox->redo, inbox->redo->current), ERR_OK);
    cr_assert_neq(number_of(&r), before);
}

static void keep(struct redo_keeper *keeper)
{
    struct loop_config config = {.name = "keeper", .mailbox_limit = 8};

    cr_assert_eq(loop_open(&keeper->loop, &config), ERR_OK);
    cr_assert_eq(loop_open(&keeper->bulk, &config), ERR_OK);
    redo_keeper_init(keeper, inbox, keeper->loop, keeper->bulk);
}

/* What is on its way comes to its end. */
static void let_go(struct redo_keeper *keeper)
{
    cr_assert_eq(loop_start(keeper->bulk), ERR_OK);
    loop_stop(keeper->bulk);
    cr_assert_eq(loop_start(keeper->loop), ERR_OK);
    loop_stop(keeper->loop);
    loop_close(&keeper->bulk);
    loop_close(&keeper->loop);
}

Test(redo_errors, a_half_is_settled_when_its_first_block_is_old_however_new_its_last_one_is,
     .init = make_scratch, .fini = remove_scratch, .timeout = 20)
{
    struct redo_keeper keeper;
    struct redo_half *half;

    open_with_log_of_this_run();
    keep(&keeper);
    half = inbox->redo->current;
    logged_file(1, "x", 1);
    keeper.timer.fire(&keeper.timer, &keeper);
    cr_assert_eq(half->state, HALF_WRITTEN);
    half->since_ms -= 5000;
    logged_file(2, "x", 1);
    keeper.timer.fire(&keeper.timer, &keeper);
    cr_assert_eq(half->state, HALF_SETTLING);
    cr_assert_eq(inbox->redo->current, &inbox->redo->halves[1]);
    let_go(&keeper);
    cr_assert_eq(half->state, HALF_CLEAN);
}

Test(redo_errors, a_log_that_cannot_be_cleared_is_tried_less_and_less, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct redo_keeper keeper;
    uint64_t first;

    open_with_log_of_this_run();
    keep(&keeper);
    first = keeper.pause_ms;
    logged_file(1, "x", 1);
    for (int i = 0; i < 10; i++) {
        bad_disk.fdatasync_number = 1; /* the journal's */
        redo_keeper_finish(&keeper);
    }
    cr_assert_gt(keeper.pause_ms, 2 * first);
    cr_assert_leq(keeper.pause_ms, 60000);
    redo_keeper_finish(&keeper);
    cr_assert_not(redo_has_blocks(inbox->redo), "the journal was written anew for it");
    cr_assert_eq(keeper.pause_ms, first);
    let_go(&keeper);
}

/* --- failures ----------------------------------------------------------------------------------
 */

/* A file whose rename fails because of another that stands there. */
static struct commit_request failing_file(uint32_t transfer_id)
{
    struct commit_request r = written_file(transfer_id, "ours", 4);
    int fd = openat(inbox->dir_fd, r.file.name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    close(fd);
    return r;
}

static void break_journal(void)
{
    bad_disk.fdatasync_number = 1;
    cr_assert_neq(journal_sync(inbox->journal), ERR_OK);
}

Test(redo_errors, a_failure_whose_mark_the_log_lost_stays_in_a_journal_written_anew,
     .init = make_scratch, .fini = remove_scratch, .timeout = 20)
{
    static const char zeros[REDO_ALIGN];
    struct commit_request r;

    open_with_log();
    logged_file(1, "a", 1);
    r = failing_file(2);
    bad_disk.fdatasync_number = 3; /* the log's, the journal's, the log's */
    run_batch(&r, 1);
    cr_assert_eq(r.request.result, ERR_EXISTS);
    cr_assert_eq(inbox->redo->halves[0].state, HALF_RETIRED);
    damage_log(inbox->redo->halves[0].used - REDO_ALIGN, zeros, sizeof zeros);
    lose_name(&r);
    break_journal();
    cr_assert_eq(journal_mend(inbox->journal), ERR_OK);
    break_journal(); /* a second time: the pin moves along */
    cr_assert_eq(journal_mend(inbox->journal), ERR_OK);
    cr_assert_eq(start(), ERR_OK, "%s", why);
    cr_assert_not(is_in_inbox(r.file.name, "ours", 4));
    cr_assert_eq(owed_now().finished, 1);
    cr_assert_eq(owed_now().failed, 0);
}

Test(redo_errors, a_file_that_the_log_may_have_and_that_then_fails_is_marked_there,
     .init = make_scratch, .fini = remove_scratch, .timeout = 20)
{
    struct commit_request r;
    uint64_t before;

    open_with_log();
    logged_file(1, "a", 1);
    before = journal_size(inbox->journal);
    r = written_file(2, "ours", 4);
    bad_disk.fdatasync_number = 1; /* the log's; then the file's own */
    bad_disk.fdatasync_again = 1;
    run_batch(&r, 1);
    cr_assert_neq(r.request.result, ERR_OK);
    lose_journal(before);
    cr_assert_eq(start(), ERR_OK, "%s", why);
    cr_assert_not(is_in_inbox(r.file.name, "ours", 4));
    cr_assert_eq(owed_now().finished, 1);
}

Test(redo_errors, the_mark_of_a_file_that_no_block_holds_yet_is_kept, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct record record = {.kind = RECORD_FILE};
    struct commit_request r;
    size_t held;

    open_with_log();
    r = written_file(1, "x", 1);
    record.file = r.record;
    memcpy(record.file.name, r.file.name, sizeof record.file.name);
    redo_put_mark(inbox->redo, RECORD_VOID, 1);
    cr_assert(redo_block_is_empty(&inbox->redo->block), "nothing to mark");
    cr_assert(redo_put_file(inbox->redo, &r, &record));
    held = inbox->redo->block.held;
    redo_put_mark(inbox->redo, RECORD_VOID, 1);
    cr_assert_gt(inbox->redo->block.held, held);
    batch_close_file(&r.file);
}

Test(redo_errors, a_directory_in_the_place_of_a_lost_file_refuses_the_start_until_it_is_away,
     .init = make_scratch, .fini = remove_scratch, .timeout = 20)
{
    struct commit_request r;

    open_with_log();
    r = logged_file(1, "x", 1);
    lose_name(&r);
    cr_assert_eq(mkdirat(inbox->dir_fd, r.file.name, 0700), 0);
    cr_assert_neq(start(), ERR_OK);
    cr_assert_not_null(strstr(why, r.file.name), "%s", why);
    snprintf(why, sizeof why, "%s/%s", inbox_path, r.file.name);
    cr_assert_eq(rmdir(why), 0);
    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    cr_assert(is_in_inbox(r.file.name, "x", 1));
}

Test(redo_errors, a_file_that_cannot_have_its_group_is_the_daemons_alone, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct commit_request r;
    struct stat status;

    open_with_log();
    inbox->mode = 0640;
    inbox->has_group = true;
    inbox->group = getegid();
    r = logged_file(1, "x", 1);
    bad_disk.has_no_group = true;
    cr_assert_eq(start(), ERR_OK, "%s", why);
    cr_assert_eq(fstatat(inbox->dir_fd, r.file.name, &status, 0), 0);
    cr_assert_eq(status.st_mode & 07777, 0600);
}
