#include "store/redo.h"

#include "store/redo_support.h"
#include "store/store_support.h"

#include <criterion/criterion.h>
#include <endian.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- after a power cut -------------------------------------------------------------------------
 */

Test(redo, what_a_power_cut_took_of_small_files_is_written_again_and_reported, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct commit_request some[4];
    char large[REDO_DATA_MAX];
    uint64_t before;

    memset(large, 'x', sizeof large);
    open_with_log();
    before = journal_size(inbox->journal);
    some[0] = written_file(1, "lost", 4);
    some[1] = written_file(2, "", 0);
    some[2] = written_file(3, large, sizeof large);
    some[3] = written_file(4, "stays", 5);
    run_batch(some, 4);
    lose_name(&some[0]);
    lose_name(&some[1]);
    lose_data(&some[2], 100);
    lose_journal(before);
    reopen_inbox(DURABILITY_FULL);
    cr_assert(is_in_inbox(some[0].file.name, "lost", 4));
    cr_assert(is_in_inbox(some[1].file.name, "", 0));
    cr_assert(is_in_inbox(some[2].file.name, large, sizeof large));
    cr_assert(is_in_inbox(some[3].file.name, "stays", 5));
    cr_assert_eq(inbox_recovery(inbox)->written_again, 4);
    cr_assert_eq(owed_now().finished, 4);
    cr_assert_eq(owed_now().failed, 0);
    reopen_inbox(DURABILITY_FULL);
    cr_assert_eq(inbox_recovery(inbox)->written_again, 0);
    cr_assert_eq(owed_now().finished, 4);
}

Test(redo, content_of_the_right_length_and_wrong_bytes_is_written_again, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct commit_request r;

    open_with_log();
    r = logged_file(1, "hello", 5);
    lose_data(&r, 2);
    lose_data(&r, 5); /* zeros */
    reopen_inbox(DURABILITY_FULL);
    cr_assert(is_in_inbox(r.file.name, "hello", 5));
}

Test(redo, as_long_as_the_kernel_lives_what_the_owner_took_away_stays_away, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct commit_request r;

    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    cr_assert_neq(inbox->boot[0], '\0');
    cr_assert_eq(redo_make(&inbox->redo, inbox, SMALL_LOG), ERR_OK);
    r = logged_file(1, "taken", 5);
    lose_name(&r);
    reopen_inbox(DURABILITY_FULL);
    cr_assert_not(is_in_inbox(r.file.name, "taken", 5));
    cr_assert_eq(owed_now().finished, 1);
    cr_assert_not(redo_has_blocks(inbox->redo));
}

Test(redo, a_report_that_is_in_the_log_is_not_made_again, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct commit_request first, mark = {.kind = COMMIT_REPORTED, .record = {.transfer_id = 1}};
    uint64_t before;

    open_with_log();
    before = journal_size(inbox->journal);
    first = logged_file(1, "a", 1);
    run_batch(&mark, 1);
    logged_file(2, "b", 1); /* takes the mark along */
    lose_name(&first);
    lose_journal(before);
    reopen_inbox(DURABILITY_FULL);
    cr_assert(is_in_inbox(first.file.name, "a", 1));
    cr_assert_eq(owed_now().finished, 1);
    cr_assert_eq(owed_now().last_id, 2);
}

Test(redo, a_file_that_failed_does_not_come_back, .init = make_scratch, .fini = remove_scratch,
     .timeout = 20)
{
    struct commit_request r;
    char path[INBOX_PATH_SIZE];
    uint64_t before;
    int fd;

    open_with_log();
    before = journal_size(inbox->journal);
    r = written_file(1, "ours", 4);
    inbox_final_path(inbox, r.file.name, path);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(write(fd, "foreign", 7), 7);
    close(fd);
    run_batch(&r, 1);
    cr_assert_eq(r.request.result, ERR_EXISTS);
    lose_journal(before);
    reopen_inbox(DURABILITY_FULL);
    cr_assert(is_in_inbox(r.file.name, "foreign", 7));
    cr_assert_eq(inbox_recovery(inbox)->written_again, 0);
    cr_assert_eq(owed_now().finished + owed_now().failed, 0);
}

Test(redo, a_failure_that_only_the_journal_knows_counts, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct record is_void = {.kind = RECORD_VOID, .number = 1};
    struct commit_request r;

    open_with_log();
    r = logged_file(1, "x", 1);
    cr_assert_eq(journal_add(inbox->journal, &is_void), ERR_OK);
    is_void.kind = RECORD_REPORTED;
    cr_assert_eq(journal_add(inbox->journal, &is_void), ERR_OK);
    cr_assert_eq(journal_write(inbox->journal), ERR_OK);
    lose_name(&r);
    reopen_inbox(DURABILITY_FULL);
    cr_assert_not(is_in_inbox(r.file.name, "x", 1));
    cr_assert_eq(owed_now().finished + owed_now().failed, 0);
}

Test(redo, a_file_written_again_has_the_mode_that_it_had, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct commit_request r;
    struct stat status;

    open_with_log();
    inbox->mode = 0640;
    r = logged_file(1, "x", 1);
    lose_name(&r);
    reopen_inbox(DURABILITY_FULL);
    cr_assert_eq(fstatat(inbox->dir_fd, r.file.name, &status, 0), 0);
    cr_assert_eq(status.st_mode & 07777, 0640);
}

Test(redo, a_start_without_durability_brings_the_files_back_and_removes_the_log,
     .init = make_scratch, .fini = remove_scratch, .timeout = 20)
{
    struct commit_request r;

    open_with_log();
    r = logged_file(1, "x", 1);
    lose_name(&r);
    reopen_inbox(DURABILITY_NONE);
    cr_assert(is_in_inbox(r.file.name, "x", 1));
    cr_assert_null(inbox->redo);
    cr_assert_not(is_partial("redo"));
    cr_assert_eq(owed_now().finished, 1);
}

Test(redo, a_start_that_was_cut_off_itself_is_done_over_to_the_same_end, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    char *log = malloc(SMALL_LOG);
    struct commit_request r;
    uint64_t before;
    int fd;

    open_with_log();
    before = journal_size(inbox->journal);
    r = logged_file(1, "x", 1);
    lose_name(&r);
    lose_journal(before);
    fd = open_log();
    cr_assert_eq(pread(fd, log, SMALL_LOG, 0), SMALL_LOG);
    close(fd);
    reopen_inbox(DURABILITY_FULL);
    damage_log(0, log, SMALL_LOG); /* as it was: the end of the start never came to the disk */
    reopen_inbox(DURABILITY_FULL);
    cr_assert(is_in_inbox(r.file.name, "x", 1));
    cr_assert_eq(inbox_recovery(inbox)->written_again, 1);
    cr_assert_eq(owed_now().finished, 1);
    free(log);
}

/* --- torn, old, damaged ------------------------------------------------------------------------
 */

/* Three files, a block each; then the bytes at `at` of the second block are other ones. */
static void damage_second_of_three(uint64_t at, const void *bytes, size_t length)
{
    struct commit_request files[3];

    open_with_log();
    for (uint32_t i = 0; i < 3; i++)
        files[i] = logged_file(i + 1, "hello", 5);
    damage_log(2 * REDO_ALIGN + at, bytes, length);
    for (int i = 0; i < 3; i++)
        lose_name(&files[i]);
    reopen_inbox(DURABILITY_FULL);
    cr_assert(is_in_inbox(files[0].file.name, "hello", 5));
    cr_assert_not(is_in_inbox(files[1].file.name, "hello", 5));
    cr_assert_not(is_in_inbox(files[2].file.name, "hello", 5));
    cr_assert_eq(inbox_recovery(inbox)->written_again, 1);
    cr_assert_not(redo_has_blocks(inbox->redo));
}

Test(redo, what_follows_a_torn_block_is_not_read, .init = make_scratch, .fini = remove_scratch,
     .timeout = 20)
{
    damage_second_of_three(REDO_HEADER_SIZE + 30, "?", 1);
}

Test(redo, a_block_that_never_came_ends_the_log, .init = make_scratch, .fini = remove_scratch,
     .timeout = 20)
{
    static const char zeros[REDO_ALIGN];

    damage_second_of_three(0, zeros, sizeof zeros);
}

Test(redo, a_length_beyond_all_bounds_ends_the_log, .init = make_scratch, .fini = remove_scratch,
     .timeout = 20)
{
    uint32_t length = UINT32_MAX - 80;

    damage_second_of_three(4, &length, sizeof length);
}

Test(redo, blocks_of_an_epoch_that_is_over_are_not_read, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct commit_request old[3], new;
    struct redo_half *half;

    open_with_log();
    half = inbox->redo->current;
    for (uint32_t i = 0; i < 3; i++)
        old[i] = logged_file(i + 1, "old", 3);
    redo_retire(inbox->redo);
    cr_assert_eq(redo_settle(inbox->redo, half), ERR_OK);
    cr_assert_eq(redo_clean(inbox->redo, half), ERR_OK);
    redo_retire(inbox->redo); /* the other half, empty */
    cr_assert_eq(inbox->redo->current, half);
    new = logged_file(4, "new", 3);
    for (int i = 0; i < 3; i++)
        lose_name(&old[i]);
    lose_name(&new);
    reopen_inbox(DURABILITY_FULL);
    cr_assert_eq(inbox_recovery(inbox)->written_again, 1);
    cr_assert(is_in_inbox(new.file.name, "new", 3));
}

Test(redo, both_halves_are_read_the_older_first, .init = make_scratch, .fini = remove_scratch,
     .timeout = 20)
{
    struct commit_request first, second,
        mark = {.kind = COMMIT_REPORTED, .record = {.transfer_id = 1}};
    uint64_t before;

    open_with_log();
    before = journal_size(inbox->journal);
    redo_retire(inbox->redo); /* begins with the half that lies behind */
    cr_assert_eq(redo_clean(inbox->redo, &inbox->redo->halves[0]), ERR_OK);
    first = logged_file(1, "a", 1);
    redo_retire(inbox->redo);
    run_batch(&mark, 1);
    second = logged_file(2, "b", 1);
    lose_name(&first);
    lose_name(&second);
    lose_journal(before);
    reopen_inbox(DURABILITY_FULL);
    cr_assert_eq(inbox_recovery(inbox)->written_again, 2);
    cr_assert_eq(owed_now().finished, 1);
    cr_assert_eq(owed_now().last_id, 2);
}

Test(redo, a_log_of_which_half_is_none_gives_back_the_other_half_and_is_removed,
     .init = make_scratch, .fini = remove_scratch, .timeout = 20)
{
    struct commit_request r;

    open_with_log();
    r = logged_file(1, "x", 1);
    damage_log(SMALL_LOG / 2, "????????", 8);
    lose_name(&r);
    reopen_inbox(DURABILITY_FULL);
    cr_assert(is_in_inbox(r.file.name, "x", 1));
    cr_assert_null(inbox->redo); /* the epoch of the other half is not known any more */
    cr_assert_not(is_partial("redo"));
}

Test(redo, what_is_no_log_is_removed, .init = make_scratch, .fini = remove_scratch, .timeout = 20)
{
    open_with_log();
    cr_assert_eq(ftruncate(inbox->redo->fd, 5000), 0);
    reopen_inbox(DURABILITY_FULL);
    cr_assert_null(inbox->redo);
    cr_assert_not(is_partial("redo"));
    commit_file(1, "x");
}

/* --- blocks ------------------------------------------------------------------------------------
 */

static const struct redo_stamp stamp_of_test = {.epoch = 7, .sequence = 3, .boot = "this one"};

static struct redo_block *sealed_block(const char *data)
{
    struct redo_block *block = malloc(sizeof *block);
    struct record file = {.kind = RECORD_FILE, .file = {.transfer_id = 9, .idurl = ""}};
    struct record mark = {.kind = RECORD_REPORTED, .number = 9};

    snprintf(file.file.name, sizeof file.file.name, "20261121T031415Z-0123456789abcdef.in");
    cr_assert_eq(address_from_ip_text(&file.file.peer, "192.0.2.7", 7771), ERR_OK);
    file.file.size_bytes = strlen(data);
    redo_block_begin(block);
    memcpy(redo_block_add(block, &file, 0600, REDO_NO_GROUP, strlen(data)), data, strlen(data));
    redo_block_add(block, &mark, 0, 0, 0);
    redo_block_seal(block, &stamp_of_test);
    return block;
}

Test(redo, a_block_gives_back_what_was_put_in)
{
    struct redo_block *block = sealed_block("hello");
    struct redo_stamp stamp;
    struct redo_entry entry;
    size_t at = 0;

    cr_assert_eq(block->held, REDO_ALIGN);
    cr_assert_eq(redo_block_length(block->bytes), REDO_ALIGN);
    cr_assert(redo_block_check(block, &stamp));
    cr_assert_eq(stamp.epoch, 7);
    cr_assert_eq(stamp.sequence, 3);
    cr_assert_str_eq(stamp.boot, "this one");
    cr_assert(redo_block_next(block, &at, &entry));
    cr_assert_eq(entry.record.file.transfer_id, 9);
    cr_assert_eq(entry.length, 5);
    cr_assert_eq(memcmp(entry.data, "hello", 5), 0);
    cr_assert_eq(entry.mode, 0600);
    cr_assert_eq(entry.group, REDO_NO_GROUP);
    cr_assert(redo_block_next(block, &at, &entry));
    cr_assert_eq(entry.record.kind, RECORD_REPORTED);
    cr_assert_not(redo_block_next(block, &at, &entry));
    free(block);
}

Test(redo, each_bit_that_differs_makes_a_block_none, .timeout = 20)
{
    struct redo_block *block = sealed_block("hello");
    struct redo_stamp stamp;
    uint32_t entries;
    size_t covered;

    memcpy(&entries, block->bytes + 4, sizeof entries);
    covered = REDO_HEADER_SIZE + le32toh(entries);
    for (size_t bit = 0; bit < 8 * covered; bit++) {
        block->bytes[bit / 8] = (char)(block->bytes[bit / 8] ^ (1 << bit % 8));
        cr_assert_not(redo_block_check(block, &stamp), "bit %zu", bit);
        block->bytes[bit / 8] = (char)(block->bytes[bit / 8] ^ (1 << bit % 8));
    }
    for (size_t held = 0; held < covered; held++) {
        block->held = held;
        cr_assert_not(redo_block_check(block, &stamp), "%zu bytes", held);
    }
    free(block);
}

/* Lengths that lie although the block is whole: a writer's mistake must not become a reader's. */
Test(redo, an_entry_whose_lengths_reach_beyond_its_block_ends_it)
{
    static const uint32_t lies[] = {0, 1, 4000, 70000, INT32_MAX, UINT32_MAX, UINT32_MAX - 15};

    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++)
        for (size_t field = 0; field < 2; field++) {
            struct redo_block *block = sealed_block("hello");
            struct redo_entry entry;
            size_t at = 0;

            memcpy(block->bytes + REDO_HEADER_SIZE + 4 * field, &lies[i], sizeof lies[i]);
            cr_assert_not(redo_block_next(block, &at, &entry), "%u", lies[i]);
            free(block);
        }
}

Test(redo, data_that_is_not_as_long_as_its_record_says_is_none)
{
    struct redo_block *block = sealed_block("hello");
    uint32_t length = htole32(4);
    struct redo_entry entry;
    size_t at = 0;

    memcpy(block->bytes + REDO_HEADER_SIZE + 4, &length, sizeof length);
    cr_assert_not(redo_block_next(block, &at, &entry));
    free(block);
}

/* --- which files, and what fails ---------------------------------------------------------------
 */

Test(redo, a_batch_of_small_and_large_ones_is_whole_and_only_small_ones_are_in_the_log,
     .init = make_scratch_on_disk, .fini = remove_scratch, .timeout = 20)
{
    struct commit_request some[3];
    char large[REDO_DATA_MAX + 1] = "";

    open_with_log();
    some[0] = written_file(1, "small", 5);
    some[1] = written_file(2, large, sizeof large);
    some[2] = written_file(3, large, sizeof large - 1);
    run_batch(some, 3);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(some[i].request.result, ERR_OK);
    for (int i = 0; i < 3; i++)
        lose_name(&some[i]);
    reopen_inbox(DURABILITY_FULL);
    cr_assert_eq(inbox_recovery(inbox)->written_again, 2);
    cr_assert_not(is_in_inbox(some[1].file.name, large, sizeof large));
}

/* The log's descriptor means another file while `r` is committed. */
static void commit_beside(struct commit_request *r, const char *path, int flags)
{
    int old = dup(inbox->redo->fd), other = open(path, flags | O_CLOEXEC);

    cr_assert_neq(dup2(other, inbox->redo->fd), -1);
    run_batch(r, 1);
    cr_assert_neq(dup2(old, inbox->redo->fd), -1);
    close(old);
    close(other);
}

static void fails_and_goes_on(const char *path, int flags)
{
    struct commit_request first, second, third;
    struct redo_half *half;

    open_with_log();
    half = inbox->redo->current;
    first = logged_file(1, "in the log", 10);
    second = written_file(2, "synced by itself", 16);
    commit_beside(&second, path, flags);
    cr_assert_eq(second.request.result, ERR_OK);
    cr_assert_eq(half->state, HALF_RETIRED);
    cr_assert_neq(inbox->redo->current, half);
    third = logged_file(3, "in the other half", 17);
    lose_name(&first);
    lose_name(&second);
    lose_name(&third);
    reopen_inbox(DURABILITY_FULL);
    cr_assert(is_in_inbox(first.file.name, "in the log", 10));
    cr_assert(is_in_inbox(third.file.name, "in the other half", 17));
    cr_assert_eq(inbox_recovery(inbox)->written_again, 2);
}

Test(redo, files_whose_log_cannot_be_synced_are_synced_by_themselves, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    fails_and_goes_on("/dev/null", O_RDWR); /* takes each write, and fdatasync(2) refuses it */
}

Test(redo, files_whose_log_cannot_be_written_are_synced_by_themselves, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    fails_and_goes_on("/dev/null", O_RDONLY);
}

Test(redo, with_both_halves_retired_files_are_synced_by_themselves, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct commit_request r;

    open_with_log();
    logged_file(1, "x", 1);
    redo_retire(inbox->redo);
    logged_file(2, "x", 1);
    redo_retire(inbox->redo);
    cr_assert_null(inbox->redo->current);
    r = logged_file(3, "x", 1);
    lose_name(&r);
    reopen_inbox(DURABILITY_FULL);
    cr_assert_not(is_in_inbox(r.file.name, "x", 1));
}

/* The file system has an error to tell, and again when all is written anew. */
static void settle_with_error(struct redo_half *half)
{
    bad_disk.syncfs_number = 1;
    bad_disk.syncfs_again = 1;
    cr_assert_neq(redo_settle(inbox->redo, half), ERR_OK);
}

Test(redo, a_disk_that_refused_something_has_the_files_that_are_still_there_written_once_more,
     .init = make_scratch, .fini = remove_scratch, .timeout = 20)
{
    struct commit_request there, taken;
    ino_t before;

    open_with_log();
    there = logged_file(1, "there", 5);
    taken = logged_file(2, "taken", 5);
    lose_name(&taken);
    before = number_of(&there);
    settle_with_error(inbox->redo->current);
    cr_assert_neq(number_of(&there), before);
    cr_assert(is_in_inbox(there.file.name, "there", 5));
    cr_assert_not(is_in_inbox(taken.file.name, "taken", 5));
    cr_assert_not(is_partial(there.file.name));
    cr_assert_not(is_partial(taken.file.name));
}

Test(redo, an_error_told_for_one_half_may_be_that_of_the_other, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct redo_half *first, *second;
    struct commit_request r;
    ino_t before;

    open_with_log();
    first = inbox->redo->current;
    logged_file(1, "x", 1);
    redo_retire(inbox->redo);
    second = inbox->redo->current;
    r = logged_file(2, "x", 1);
    before = number_of(&r);
    settle_with_error(first);
    cr_assert_eq(number_of(&r), before);
    cr_assert_eq(redo_settle(inbox->redo, second), ERR_OK);
    cr_assert_neq(number_of(&r), before);
    cr_assert_eq(redo_settle(inbox->redo, first), ERR_OK);
    before = number_of(&r);
    cr_assert_eq(redo_settle(inbox->redo, second), ERR_OK);
    cr_assert_eq(number_of(&r), before);
}

/* --- the keeper --------------------------------------------------------------------------------
 */

static void commit_many(uint32_t first_id, size_t length)
{
    enum { COUNT = 100 };
    static struct commit_request requests[COUNT];
    char *bytes = calloc(1, length);

    for (uint32_t i = 0; i < COUNT; i++)
        requests[i] = written_file(first_id + i, bytes, length);
    commit_all(requests, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        cr_assert_eq(requests[i].request.result, ERR_OK);
        cr_assert(is_in_inbox(requests[i].file.name, bytes, length));
    }
    free(bytes);
}

Test(redo, a_log_that_is_full_again_and_again_loses_nothing_and_a_stop_leaves_it_clean,
     .init = make_scratch_on_disk, .fini = remove_scratch, .timeout = 60)
{
    open_with_log();
    for (uint32_t i = 0; i < 8; i++) {
        commit_many(100 * i + 1, 8000);
        cr_assert_not(redo_has_blocks(inbox->redo));
    }
    reopen_inbox(DURABILITY_FULL);
    cr_assert_eq(inbox_recovery(inbox)->written_again, 0);
    cr_assert_eq(owed_now().finished, 800);
}

Test(redo, the_log_is_made_when_the_first_small_file_comes, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    inbox_set_redo(inbox, SMALL_LOG);
    cr_assert_not(is_partial("redo"));
    commit_file(1, "x");
    cr_assert(is_partial("redo"));
    cr_assert_eq(redo_bytes(inbox->redo), SMALL_LOG);
}

Test(redo, a_log_that_would_take_much_of_the_disk_is_not_made_and_files_arrive,
     .init = make_scratch, .fini = remove_scratch, .timeout = 20)
{
    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    inbox_set_redo(inbox, (uint64_t)1 << 60);
    commit_file(1, "x");
    cr_assert_not(is_partial("redo"));
    cr_assert_not(is_partial("redo.new"));
    cr_assert_null(inbox->redo);
}

Test(redo, a_log_of_another_size_than_wanted_is_made_anew, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    open_with_log();
    reopen_inbox(DURABILITY_FULL);
    inbox_set_redo(inbox, SMALL_LOG);
    cr_assert_not_null(inbox->redo);
    inbox_set_redo(inbox, 2 * SMALL_LOG);
    cr_assert_null(inbox->redo);
    commit_file(1, "x");
    cr_assert_eq(redo_bytes(inbox->redo), 2 * SMALL_LOG);
    inbox_set_redo(inbox, 0);
    cr_assert_not(is_partial("redo"));
}
