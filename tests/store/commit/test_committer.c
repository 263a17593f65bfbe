#include "store/commit/committer.h"

#include "base/clock.h"
#include "base/metrics.h"
#include "store/bad_disk.h"
#include "store/inbox/state.h"
#include "store/journal/journal.h"
#include "store/name.h"
#include "store/store_support.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static void commits_and_checks(enum durability durability)
{
    struct commit_request r, empty;

    open_inbox(durability, LIMIT_BYTES);
    r = written_file(1, "hello", 5);
    cr_assert(is_partial(r.file.name));
    cr_assert_not(is_in_inbox(r.file.name, "hello", 5));
    commit_all(&r, 1);
    cr_assert_eq(r.request.result, ERR_OK);
    cr_assert_eq(r.file.fd, -1);
    cr_assert_not(is_partial(r.file.name));
    cr_assert(is_in_inbox(r.file.name, "hello", 5));
    empty = written_file(2, "", 0);
    commit_all(&empty, 1);
    cr_assert(is_in_inbox(empty.file.name, "", 0));
}

Test(committer, ok_means_the_whole_file_under_its_final_name, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    commits_and_checks(DURABILITY_NONE);
}

Test(committer, ok_means_the_same_on_a_real_disk_with_every_sync, .init = make_scratch_on_disk,
     .fini = remove_scratch, .timeout = 20)
{
    commits_and_checks(DURABILITY_FULL);
}

/* One of two large files is committed, the other discarded. */
static void commit_one_of_two(struct commit_request both[2], size_t length)
{
    char *bytes = calloc(1, length);

    bytes[length - 1] = 'x';
    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    both[0] = written_file(1, bytes, length);
    both[1] = written_file(2, bytes, length);
    both[1].kind = COMMIT_DISCARD;
    commit_all(both, 2);
    cr_assert_eq(both[0].request.result, ERR_OK);
    cr_assert_eq(both[1].request.result, ERR_OK);
    cr_assert(is_in_inbox(both[0].file.name, bytes, length));
    cr_assert_not(is_partial(both[1].file.name));
    free(bytes);
}

Test(committer, early_writeback_does_not_outlive_the_descriptor, .init = make_scratch_on_disk,
     .fini = remove_scratch, .timeout = 20)
{
    size_t length = (size_t)20 << 20;
    struct commit_request both[2];

    commit_one_of_two(both, length);
    cr_assert_eq(both[0].file.writeback_bytes, length);
    cr_assert_eq(both[1].file.writeback_bytes, length);
}

Test(committer, a_large_file_is_committed_by_the_bulk_thread, .init = make_scratch_on_disk,
     .fini = remove_scratch, .timeout = 20)
{
    struct commit_request both[2];

    commit_one_of_two(both, (4 << 20) + 1);
}

static void many(enum durability durability)
{
    enum { COUNT = 300 };
    static struct commit_request requests[COUNT];
    uint64_t batches = metrics_sum(METRIC_COMMIT_BATCHES), commits = metrics_sum(METRIC_COMMITS);
    char text[16];

    open_inbox(durability, LIMIT_BYTES);
    for (uint32_t i = 0; i < COUNT; i++) {
        int length = snprintf(text, sizeof text, "file %u", i);

        requests[i] = written_file(i + 1, text, (size_t)length);
    }
    commit_all(requests, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        int length = snprintf(text, sizeof text, "file %u", i);

        cr_assert_eq(requests[i].request.result, ERR_OK);
        cr_assert(is_in_inbox(requests[i].file.name, text, (size_t)length));
    }
    cr_assert_eq(metrics_sum(METRIC_COMMITS) - commits, COUNT);
    cr_assert_lt(metrics_sum(METRIC_COMMIT_BATCHES) - batches, COUNT);
    cr_assert_eq(unreported_now().finished, COUNT);
}

Test(committer, three_hundred_at_once_are_each_answered_once_in_fewer_batches, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    many(DURABILITY_NONE);
}

Test(committer, three_hundred_at_once_share_syncs_on_a_real_disk, .init = make_scratch_on_disk,
     .fini = remove_scratch, .timeout = 20)
{
    many(DURABILITY_FULL);
}

Test(committer, a_foreign_file_under_the_final_name_stays_and_ours_fails, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct commit_request both[2];
    char path[INBOX_PATH_SIZE];
    int fd;

    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    both[0] = written_file(1, "ours", 4);
    both[1] = written_file(2, "fine", 4);
    inbox_final_path(inbox, both[0].file.name, path);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(write(fd, "foreign", 7), 7);
    close(fd);
    commit_all(both, 2);
    cr_assert_eq(both[0].request.result, ERR_EXISTS);
    cr_assert_eq(both[1].request.result, ERR_OK);
    cr_assert(is_in_inbox(both[0].file.name, "foreign", 7));
    cr_assert_not(is_partial(both[0].file.name));
    reopen_inbox(DURABILITY_FULL);
    cr_assert_eq(unreported_now().finished,
                 1); /* the failed one was answered: no report is due for it */
    cr_assert_eq(unreported_now().failed, 0);
    cr_assert_eq(unreported_now().last_id, 2);
}

/* fdatasync(2) fails on a pipe, as on a broken disk. */
static void put_pipe_in_place(struct commit_request *r)
{
    int ends[2];

    cr_assert_eq(pipe(ends), 0);
    close(r->file.fd);
    close(ends[0]);
    r->file.fd = ends[1];
}

Test(committer, a_file_whose_sync_fails_is_removed_and_the_others_succeed, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct commit_request some[4];

    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    for (uint32_t i = 0; i < 4; i++)
        some[i] = written_file(i + 1, "x", 1);
    put_pipe_in_place(&some[2]);
    some[3].file.written_bytes = 5 << 20; /* uses the bulk thread */
    put_pipe_in_place(&some[3]);
    commit_all(some, 4);
    cr_assert_eq(some[0].request.result, ERR_OK);
    cr_assert_eq(some[1].request.result, ERR_OK);
    cr_assert_neq(some[2].request.result, ERR_OK);
    cr_assert_neq(some[3].request.result, ERR_OK);
    for (int i = 2; i < 4; i++) {
        cr_assert_not(is_partial(some[i].file.name));
        cr_assert_not(is_in_inbox(some[i].file.name, "x", 1));
    }
    reopen_inbox(DURABILITY_FULL);
    cr_assert_eq(unreported_now().finished, 2);
    cr_assert_eq(unreported_now().failed, 0);
}

Test(committer, a_discarded_file_is_gone, .init = make_scratch, .fini = remove_scratch,
     .timeout = 20)
{
    struct commit_request r;

    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    r = written_file(1, "x", 1);
    r.kind = COMMIT_DISCARD;
    commit_all(&r, 1);
    cr_assert_eq(r.request.result, ERR_OK);
    cr_assert_eq(r.file.fd, -1);
    cr_assert_not(is_partial(r.file.name));
    cr_assert_eq(unreported_now().finished, 0);
}

Test(committer, gives_each_requester_its_own_ids, .init = make_scratch, .fini = remove_scratch,
     .timeout = 20)
{
    struct commit_request asks[3] = {
        {.kind = COMMIT_IDS}, {.kind = COMMIT_IDS}, {.kind = COMMIT_IDS}};
    struct transfer_ids before, after;

    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    cr_assert_eq(inbox_first_ids(inbox, &before), ERR_OK);
    commit_all(asks, 3);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(asks[i].request.result, ERR_OK);
        cr_assert_eq(asks[i].ids.next, before.end);
        cr_assert_gt(asks[i].ids.end, asks[i].ids.next);
        before = asks[i].ids;
    }
    reopen_inbox(DURABILITY_FULL);
    cr_assert_eq(inbox_first_ids(inbox, &after), ERR_OK);
    cr_assert_eq(after.next, before.end);
}

Test(committer, a_journal_that_cannot_grow_fails_the_batch_and_recovers, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct rlimit tight = {.rlim_max = RLIM_INFINITY}, loose = {RLIM_INFINITY, RLIM_INFINITY};
    struct commit_request some[3];
    uint64_t size;

    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    commit_file(1, "before");
    for (uint32_t i = 0; i < 3; i++)
        some[i] = written_file(i + 2, "x", 1);
    signal(SIGXFSZ, SIG_IGN);
    size = journal_size(inbox->journal);
    tight.rlim_cur = (rlim_t)size + 200; /* one record fits, three do not */
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    commit_all(some, 3);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &loose), 0);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(some[i].request.result, ERR_TOO_LARGE);
        cr_assert_not(is_partial(some[i].file.name));
        cr_assert_not(is_in_inbox(some[i].file.name, "x", 1));
    }
    commit_file(10, "after");
    reopen_inbox(DURABILITY_FULL);
    cr_assert_eq(inbox_recovery(inbox)->damaged_records, 0);
    cr_assert_eq(unreported_now().finished, 2);
    cr_assert_eq(unreported_now().failed, 0);
}

/* No outcomes are kept for files without a record, however long the disk is full. */
Test(committer, failures_on_a_full_disk_leave_nothing_to_be_written_later, .init = make_scratch,
     .fini = remove_scratch, .timeout = 60)
{
    enum { COUNT = 300 };
    static struct commit_request some[COUNT];
    uint64_t size;

    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    for (uint32_t i = 0; i < COUNT; i++)
        some[i] = written_file(i + 2, "x", 1);
    size = journal_size(inbox->journal);
    disk_refuses(BAD_WRITE, 0, -1);
    for (uint32_t i = 0; i < COUNT; i += 100)
        commit_all(some + i, 100);
    disk_refuses(0, 0, 0);
    for (uint32_t i = 0; i < COUNT; i++)
        cr_assert_neq(some[i].request.result, ERR_OK);
    commit_file(1, "after");
    cr_assert_lt(journal_size(inbox->journal) - size, 400, "%u bytes more",
                 (unsigned)(journal_size(inbox->journal) - size));
}

static void count_answers(struct message *m, void *owner)
{
    (void)m;
    (*(unsigned *)owner)++;
}

/* Each waits for the one before, so each is its own batch. */
static void commit_one_by_one(struct commit_request *requests, unsigned count)
{
    struct committer *committer;
    struct mailbox *box;
    unsigned answers = 0;

    cr_assert_eq(mailbox_open(&box, 1, &answers), ERR_OK);
    cr_assert_eq(committer_open(&committer, inbox), ERR_OK);
    cr_assert_eq(committer_start(committer), ERR_OK);
    for (unsigned i = 0; i < count; i++) {
        requests[i].request.answer_to = box;
        requests[i].request.on_answer = count_answers;
        committer_submit(committer, &requests[i]);
        while (answers <= i) {
            struct pollfd bell = {.fd = mailbox_fd(box), .events = POLLIN};

            poll(&bell, 1, -1);
            mailbox_drain(box);
        }
    }
    committer_stop(committer);
    committer_close(&committer);
    mailbox_close(&box);
}

Test(committer, a_journal_that_stays_broken_is_not_rewritten_for_each_file, .init = make_scratch,
     .fini = remove_scratch, .timeout = 60)
{
    enum { COUNT = 200 };
    static struct commit_request some[COUNT];
    uint64_t begun_ms;
    unsigned tries;

    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    for (uint32_t i = 0; i < COUNT; i++)
        some[i] = written_file(i + 1, "x", 1);
    begun_ms = clock_mono_ms();
    disk_refuses(BAD_SYNC, 0, -1);
    bad_disk.refused = 0;
    commit_one_by_one(some, COUNT);
    tries = bad_disk.refused;
    disk_refuses(0, 0, 0);
    /* syncs of the first file, the journal and its folder; then one for each attempt and one at the
     * end */
    cr_assert_leq(tries, 8 + (clock_mono_ms() - begun_ms) / 400, "%u syncs", tries);
    for (uint32_t i = 0; i < COUNT; i++)
        cr_assert_neq(some[i].request.result, ERR_OK);
    commit_file(1000, "after");
}

Test(committer, a_failed_journal_sync_fails_the_batch_and_rewrites_the_journal,
     .init = make_scratch, .fini = remove_scratch, .timeout = 20)
{
    struct commit_request some[2];
    struct stat before, after;

    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    commit_file(1, "before");
    for (uint32_t i = 0; i < 2; i++)
        some[i] = written_file(i + 2, "x", 1);
    cr_assert_eq(fstat(journal_fd(inbox->journal), &before), 0);
    disk_refuses(BAD_SYNC, 2, 1); /* one per file, then the journal's */
    commit_all(some, 2);
    cr_assert_eq(fstat(journal_fd(inbox->journal), &after), 0);
    cr_assert_neq(before.st_ino, after.st_ino, "at the latest when the daemon stops");
    for (int i = 0; i < 2; i++) {
        cr_assert_neq(some[i].request.result, ERR_OK);
        cr_assert_not(is_partial(some[i].file.name));
        cr_assert_not(is_in_inbox(some[i].file.name, "x", 1));
    }
    commit_file(10, "after");
    reopen_inbox(DURABILITY_FULL);
    cr_assert_eq(inbox_recovery(inbox)->damaged_records, 0);
    cr_assert_eq(unreported_now().finished, 2);
    cr_assert_eq(unreported_now().failed, 0);
}

static void answered_here(struct message *m, void *owner)
{
    (void)owner;
    ((struct commit_request *)(void *)m)->record.size_bytes++;
}

Test(committer, a_stop_finishes_what_was_submitted_before, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    enum { COUNT = 50 };
    static struct commit_request requests[COUNT];
    struct committer *committer;

    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    cr_assert_eq(committer_open(&committer, inbox), ERR_OK);
    cr_assert_eq(committer_start(committer), ERR_OK);
    for (uint32_t i = 0; i < COUNT; i++) {
        requests[i] = written_file(i + 1, "x", 1);
        if (i % 2 == 1)
            requests[i].file.written_bytes = 5 << 20; /* half of them use the bulk thread */
        requests[i].request.on_answer = answered_here;
    }
    for (uint32_t i = 0; i < COUNT; i++)
        committer_submit(committer, &requests[i]);
    committer_stop(committer);
    cr_assert_eq(committer_waiting(committer), 0);
    for (uint32_t i = 0; i < COUNT; i++) {
        cr_assert_eq(requests[i].request.result, ERR_OK);
        cr_assert_eq(requests[i].record.size_bytes, 2, "answered once"); /* 1 and the answer's 1 */
    }
    committer_close(&committer);
}

Test(committer, a_discarded_file_holds_no_descriptor_while_it_waits, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct committer *committer;
    struct commit_request r;

    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    cr_assert_eq(committer_open(&committer, inbox), ERR_OK);
    r = written_file(1, "x", 1);
    r.kind = COMMIT_DISCARD;
    r.request.on_answer = answered_here;
    committer_submit(committer, &r); /* its thread is not started */
    cr_assert_eq(r.file.fd, -1);
    cr_assert(is_partial(r.file.name));
    cr_assert_eq(committer_start(committer), ERR_OK);
    committer_stop(committer);
    cr_assert_not(is_partial(r.file.name));
    committer_close(&committer);
}

enum state { USUAL, BROKEN, GROWN };

static const struct turn_row {
    const char *name;
    enum durability durability;
    unsigned files, marks;
    enum state journal;
    bool is_here; /* in the worker's thread */
} turn_rows[] = {
    {"a file", DURABILITY_NONE, 1, 0, USUAL, true},
    {"two files", DURABILITY_NONE, 2, 0, USUAL, true},
    {"a report", DURABILITY_NONE, 0, 1, USUAL, true},
    {"a file and a report", DURABILITY_NONE, 1, 1, USUAL, true},
    {"three files", DURABILITY_NONE, 3, 0, USUAL, false},
    {"two files and a report", DURABILITY_NONE, 2, 1, USUAL, false},
    {"nothing", DURABILITY_NONE, 0, 0, USUAL, false},
    {"a file, with syncs", DURABILITY_FULL, 1, 0, USUAL, false},
    {"a report, with syncs", DURABILITY_FULL, 0, 1, USUAL, false},
    {"a file, the journal is broken", DURABILITY_NONE, 1, 0, BROKEN, false},
    {"a file, the journal is to be rewritten", DURABILITY_NONE, 1, 0, GROWN, false},
};

static struct committer_turn committer_turn;
static struct mailbox *turn_box;

static unsigned add_turn(const struct turn_row *row, struct committer *committer,
                         struct commit_request requests[4])
{
    unsigned count = 0;

    for (; count < row->files; count++)
        requests[count] = written_file(count + 1, "x", 1);
    for (; count < row->files + row->marks; count++)
        requests[count] =
            (struct commit_request){.kind = COMMIT_REPORTED, .record.transfer_id = 99};
    for (unsigned i = 0; i < count; i++) {
        requests[i].request.on_answer = count_answers;
        requests[i].request.answer_to = turn_box;
        committer_turn_add(&committer_turn, committer, &requests[i]);
    }
    return count;
}

static void grow_journal(void)
{
    static char idurl[20000];
    struct commit_request r = {.record = {.transfer_id = 7, .proto = "tcp", .idurl = idurl}};

    memset(idurl, 'x', sizeof idurl - 1);
    store_name_choose(r.record.name);
    for (unsigned i = 0; i < 2 * LIMIT_BYTES / sizeof idurl; i++)
        journal_file_only(&r);
    journal_forget(inbox->journal, 7);
}

static void break_journal(void)
{
    disk_refuses(BAD_SYNC | BAD_RENAME, 0, -1);
    cr_assert_neq(journal_rewrite(inbox->journal), ERR_OK);
    disk_refuses(0, 0, 0);
}

Test(committer, commits_one_or_two_without_durability_in_the_worker, .timeout = 60)
{
    for (size_t i = 0; i < sizeof turn_rows / sizeof *turn_rows; i++) {
        const struct turn_row *row = &turn_rows[i];
        struct commit_request requests[4];
        struct committer *committer;
        unsigned answers = 0, count;

        make_scratch();
        open_inbox(row->durability, LIMIT_BYTES);
        cr_assert_eq(committer_open(&committer, inbox), ERR_OK); /* its threads are not started */
        cr_assert_eq(mailbox_open(&turn_box, 1, &answers), ERR_OK);
        committer_turn_init(&committer_turn, &answers);
        if (row->journal == BROKEN)
            break_journal();
        if (row->journal == GROWN)
            grow_journal();
        count = add_turn(row, committer, requests);
        cr_assert_eq(committer_turn_end(&committer_turn, committer), row->is_here, "%s", row->name);
        cr_assert_eq(answers, row->is_here ? count : 0, "%s", row->name);
        for (unsigned j = 0; j < row->files && row->is_here; j++)
            cr_assert(is_in_inbox(requests[j].file.name, "x", 1), "%s", row->name);
        cr_assert_not(committer_turn_end(&committer_turn, committer), "%s: once", row->name);
        cr_assert_eq(committer_start(committer), ERR_OK);
        committer_stop(committer);
        committer_close(&committer);
        mailbox_drain(turn_box);
        cr_assert_eq(answers, count, "%s: each once", row->name);
        mailbox_close(&turn_box);
        for (unsigned j = 0; j < row->files; j++)
            cr_assert(is_in_inbox(requests[j].file.name, "x", 1), "%s", row->name);
        remove_scratch();
    }
}
