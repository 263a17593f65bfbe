#include "store/commit_desk.h"

#include "store/store_priv.h"
#include "store/store_support.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static struct committer *committer;
static struct commit_desk *desk;
static unsigned answers;
static bool has_committer_run;

static void count_answer(struct message *m, void *owner)
{
    (void)m, (void)owner;
    answers++;
}

/* The committer is there but does not run: what it is given waits until it does. */
static void open_desk(enum durability durability, unsigned worker)
{
    open_inbox(durability, LIMIT_BYTES);
    cr_assert_eq(committer_open(&committer, inbox), ERR_OK);
    cr_assert_eq(commit_desk_open(&desk, inbox, committer, worker), ERR_OK);
}

static void run_committer(void)
{
    cr_assert_eq(committer_start(committer), ERR_OK);
    committer_stop(committer);
    has_committer_run = true;
}

/* As a crash leaves it: the desk hands nothing over. */
static void close_desk(void)
{
    commit_desk_close(&desk);
    if (!has_committer_run)
        run_committer();
    committer_close(&committer);
}

static void crash_and_reopen(enum durability durability)
{
    close_desk();
    reopen_inbox(durability);
}

static void close_and_remove(void)
{
    if (desk != NULL)
        close_desk();
    remove_scratch();
}

#define DESK_TEST(name, ...)                                                               \
    Test(commit_desk, name, .init = make_scratch, .fini = close_and_remove, .timeout = 60, \
         ##__VA_ARGS__)

static enum err count_part(void *ctx, const char *name)
{
    unsigned *count = ctx;

    (void)name;
    ++*count;
    return ERR_OK;
}

static unsigned parts_in_inbox(void)
{
    unsigned count = 0;

    cr_assert_eq(part_each(inbox->partial_fd, count_part, &count), ERR_OK);
    return count;
}

static void submit(struct commit_request *r)
{
    r->request.on_answer = count_answer;
    commit_desk_submit(desk, r);
}

/* One file through the desk. */
static struct commit_request file_at(uint32_t id, int64_t committed_us)
{
    struct commit_request r = written_file(id, "hello", 5);

    r.record.committed_us = committed_us;
    return r;
}

static void commit_at(uint32_t id, int64_t committed_us)
{
    struct commit_request r = file_at(id, committed_us);

    submit(&r);
    cr_assert(commit_desk_run(desk));
    cr_assert_eq(r.request.result, ERR_OK);
    cr_assert(is_in_inbox(r.file.name, "hello", 5));
}

static void mark(uint32_t id)
{
    struct commit_request r = {.kind = COMMIT_REPORTED, .record = {.transfer_id = id}};

    submit(&r);
    cr_assert_not(commit_desk_run(desk));
    cr_assert_eq(r.request.result, ERR_OK);
}

DESK_TEST(commits_the_files_of_a_turn_together_and_without_another_thread)
{
    struct commit_request some[3];

    open_desk(DURABILITY_NONE, 0);
    for (uint32_t i = 0; i < 3; i++) {
        some[i] = file_at(i + 1, 0);
        submit(&some[i]);
    }
    cr_assert_eq(answers, 0);
    cr_assert(commit_desk_is_waiting(desk));
    cr_assert(commit_desk_run(desk));
    cr_assert_eq(answers, 3);
    cr_assert_not(commit_desk_is_waiting(desk));
    cr_assert_not(commit_desk_run(desk), "nothing is left to tell");
    for (uint32_t i = 0; i < 3; i++)
        cr_assert(is_in_inbox(some[i].file.name, "hello", 5));
    cr_assert_eq(parts_in_inbox(), 1);
}

DESK_TEST(what_it_wrote_is_in_the_journal_after_the_next_start)
{
    open_desk(DURABILITY_NONE, 7); /* a worker that the next run may not have */
    for (uint32_t id = 1; id <= 4; id++)
        commit_at(id, id);
    mark(2);
    mark(3);
    crash_and_reopen(DURABILITY_FULL);
    cr_assert_eq(owed_now().finished, 2);
    cr_assert_eq(owed_now().failed, 0);
    cr_assert_eq(parts_in_inbox(), 0);
    reopen_inbox(DURABILITY_NONE);
    cr_assert_eq(owed_now().finished, 2);
}

DESK_TEST(with_full_durability_the_committer_does_it)
{
    struct commit_request r;

    open_desk(DURABILITY_FULL, 0);
    r = file_at(1, 0);
    submit(&r);
    cr_assert_not(commit_desk_run(desk));
    cr_assert_eq(answers, 0);
    run_committer();
    cr_assert_eq(answers, 1);
    cr_assert(is_in_inbox(r.file.name, "hello", 5));
    cr_assert_eq(parts_in_inbox(), 0);
}

DESK_TEST(an_orderly_stop_leaves_no_part)
{
    open_desk(DURABILITY_NONE, 0);
    commit_at(1, 0);
    commit_desk_stop(desk);
    run_committer();
    cr_assert_eq(parts_in_inbox(), 0);
    cr_assert_eq(owed_now().finished, 1);
}

DESK_TEST(a_foreign_file_under_the_final_name_stays_and_ours_fails)
{
    struct commit_request r;
    char path[INBOX_PATH_SIZE];
    int fd;

    open_desk(DURABILITY_NONE, 0);
    r = file_at(1, 0);
    inbox_final_path(inbox, r.file.name, path);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(write(fd, "foreign", 7), 7);
    close(fd);
    submit(&r);
    commit_desk_run(desk);
    cr_assert_eq(r.request.result, ERR_EXISTS);
    cr_assert(is_in_inbox(r.file.name, "foreign", 7));
    cr_assert_not(is_partial(r.file.name));
    crash_and_reopen(DURABILITY_NONE);
    cr_assert_eq(owed_now().finished + owed_now().failed, 0);
}

static struct rlimit limit_file_size(uint64_t bytes)
{
    struct rlimit before, tight;

    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight = before;
    tight.rlim_cur = (rlim_t)bytes;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    return before;
}

DESK_TEST(a_part_that_cannot_be_written_fails_the_files_and_serves_again_later)
{
    struct commit_request r;
    struct rlimit before;

    open_desk(DURABILITY_NONE, 0);
    r = file_at(1, 0);
    before = limit_file_size(0); /* not even its first line */
    submit(&r);
    commit_desk_run(desk);
    cr_assert_eq(r.request.result, ERR_TOO_LARGE);
    cr_assert_not(is_partial(r.file.name));
    setrlimit(RLIMIT_FSIZE, &before);
    commit_at(2, 0);
    r = file_at(3, 0);
    before = limit_file_size(200); /* not the second record */
    submit(&r);
    commit_desk_run(desk);
    cr_assert_eq(r.request.result, ERR_TOO_LARGE);
    setrlimit(RLIMIT_FSIZE, &before);
    commit_at(4, 0);
    crash_and_reopen(DURABILITY_NONE);
    cr_assert_eq(inbox_recovery(inbox)->damaged_records, 0);
    cr_assert_eq(owed_now().finished, 2);
    cr_assert_eq(owed_now().failed, 0);
}

/* --- parts -------------------------------------------------------------------------------------
 */

/* Files with an identity so long that some dozens fill a part. Returns the last id. */
static uint32_t fill_a_part(uint32_t id)
{
    static char idurl[30000];
    unsigned before = parts_in_inbox();

    memset(idurl, 'i', sizeof idurl - 1);
    do {
        struct commit_request r = file_at(id++, 0);

        r.record.idurl = idurl;
        submit(&r);
        cr_assert(commit_desk_run(desk));
        cr_assert_eq(r.request.result, ERR_OK);
    } while (parts_in_inbox() <= before);
    return id - 1;
}

DESK_TEST(a_part_that_has_grown_goes_into_the_journal_and_marks_follow_it)
{
    struct commit_request late = {.kind = COMMIT_REPORTED, .record = {.transfer_id = 1}};
    uint32_t last;

    open_desk(DURABILITY_NONE, 0);
    commit_at(1, 0);
    last = fill_a_part(2);
    cr_assert_gt(last, 20);
    submit(&late); /* its record was given away */
    cr_assert_not(commit_desk_run(desk));
    answers = 0;
    run_committer();
    cr_assert_eq(answers, 1);
    cr_assert_eq(parts_in_inbox(), 1, "the new one");
    cr_assert_eq(owed_now().finished, last - 2, "not the first, and the last is in the new part");
    crash_and_reopen(DURABILITY_NONE);
    cr_assert_eq(owed_now().finished, last - 1);
}

DESK_TEST(a_part_that_finds_no_room_in_the_journal_waits_with_its_marks)
{
    struct commit_request late = {.kind = COMMIT_REPORTED, .record = {.transfer_id = 1}};
    struct rlimit before;
    uint32_t last;

    open_desk(DURABILITY_NONE, 0);
    commit_at(1, 0);
    last = fill_a_part(2);
    submit(&late);
    cr_assert_not(commit_desk_run(desk));
    before =
        limit_file_size((1 << 20) + 50000); /* the part can take the mark, the journal not it */
    {
        struct record filler = {.kind = RECORD_REPORTED, .number = 99999};

        while (journal_size(inbox->journal) < 60000) {
            cr_assert_eq(journal_add(inbox->journal, &filler), ERR_OK);
            cr_assert_eq(journal_write(inbox->journal), ERR_OK);
        }
    }
    run_committer();
    setrlimit(RLIMIT_FSIZE, &before);
    cr_assert_eq(late.request.result, ERR_OK);
    cr_assert_eq(parts_in_inbox(), 2);
    cr_assert_eq(owed_now().finished, 0, "nothing of it is in the journal");
    crash_and_reopen(DURABILITY_NONE);
    cr_assert_eq(owed_now().finished, last - 1);
    cr_assert_eq(inbox_recovery(inbox)->damaged_records, 0);
}

DESK_TEST(a_part_of_a_later_version_refuses_the_start)
{
    struct record header = {.kind = RECORD_HEADER, .number = JOURNAL_VERSION + 1};
    char line[RECORD_LINE_MAX], path[sizeof inbox_path + 32], problem[512] = "";
    size_t length = record_write(line, &header);
    int fd;

    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    inbox_close(&inbox);
    snprintf(path, sizeof path, "%s/.dustwire/journal-0-0", inbox_path);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(write(fd, line, length), (ssize_t)length);
    close(fd);
    cr_assert_eq(
        inbox_open(&inbox, inbox_path, DURABILITY_NONE, LIMIT_BYTES, problem, sizeof problem),
        ERR_CORRUPT);
    cr_assert_not_null(strstr(problem, "later version"), "%s", problem);
}

DESK_TEST(ids_that_begin_again_pass_over_what_a_part_owes)
{
    struct record near_the_end = {.kind = RECORD_IDS, .number = TRANSFER_ID_MAX};
    struct transfer_ids ids;

    open_desk(DURABILITY_NONE, 0);
    cr_assert_eq(journal_add(inbox->journal, &near_the_end), ERR_OK);
    cr_assert_eq(inbox_first_ids(inbox, &ids), ERR_OK);
    cr_assert_eq(ids.end, TRANSFER_ID_MAX + 1);
    commit_at(1, 0);
    commit_at(3, 0);
    cr_assert_eq(inbox_first_ids(inbox, &ids), ERR_OK);
    cr_assert_eq(ids.next, 2);
    cr_assert_eq(ids.end, 3);
}

/* --- received ----------------------------------------------------------------------------------
 */

struct seen {
    unsigned count;
    uint32_t ids[16];
    bool is_reported[16];
};

static void see(void *ctx, const struct inbox_record *record, bool is_reported)
{
    struct seen *seen = ctx;

    seen->is_reported[seen->count] = is_reported;
    seen->ids[seen->count++] = record->transfer_id;
}

DESK_TEST(received_tells_the_files_of_all_workers_oldest_first)
{
    struct commit_desk *first, *other;
    struct seen all = {0}, page = {0};

    open_desk(DURABILITY_NONE, 0);
    cr_assert_eq(commit_desk_open(&other, inbox, committer, 1), ERR_OK);
    first = desk;
    for (uint32_t id = 1; id <= 6; id++) {
        desk = id % 2 == 0 ? other : first;
        commit_at(id, 1000 * id);
    }
    mark(6);
    desk = first;
    cr_assert_eq(inbox_each_received(inbox, 2000, 0, 100, see, &all), ERR_OK);
    cr_assert_eq(all.count, 5);
    for (unsigned i = 0; i < 5; i++) {
        cr_assert_eq(all.ids[i], i + 2);
        cr_assert_eq(all.is_reported[i], all.ids[i] == 6);
    }
    cr_assert_eq(inbox_each_received(inbox, 0, 1, 2, see, &page), ERR_OK);
    cr_assert_eq(page.count, 2);
    cr_assert_eq(page.ids[0], 2);
    commit_desk_close(&other);
}

DESK_TEST(received_tells_a_file_once_that_is_in_the_journal_and_in_a_part)
{
    struct record reported = {.kind = RECORD_REPORTED, .number = 2};
    struct seen all = {0};
    unsigned damaged = 0;
    int fd;

    open_desk(DURABILITY_NONE, 0);
    commit_at(1, 1000);
    commit_at(2, 2000);
    fd = openat(inbox->partial_fd, "journal-0-0", O_RDONLY | O_CLOEXEC);
    cr_assert_eq(journal_absorb(inbox->journal, fd, UINT64_MAX, &damaged), ERR_OK);
    close(fd);
    cr_assert_eq(journal_add(inbox->journal, &reported), ERR_OK);
    cr_assert_eq(journal_write(inbox->journal), ERR_OK);
    cr_assert_eq(inbox_each_received(inbox, 0, 0, 100, see, &all), ERR_OK);
    cr_assert_eq(all.count, 2);
    cr_assert(!all.is_reported[0] && all.is_reported[1], "as the journal says");
}

/* --- kill -9 at every system call --------------------------------------------------------------
 */

enum { VICTIM_FILES = 3 };

/* What the victim was told, in memory that outlives it. */
struct told {
    char names[VICTIM_FILES][INBOX_NAME_SIZE];
    bool is_ok[VICTIM_FILES], is_marked[VICTIM_FILES];
};

static struct told *told;
static uint32_t present;

static void tell_ok(struct message *m, void *owner)
{
    const struct commit_request *r = (struct commit_request *)(void *)m;

    (void)owner;
    if (r->request.result != ERR_OK)
        return;
    if (r->kind == COMMIT_FILE)
        told->is_ok[r->record.transfer_id - 1] = true;
    else
        told->is_marked[r->record.transfer_id - 1] = true;
}

static void commit_and_mark(void)
{
    for (present = 1; present <= VICTIM_FILES; present++) {
        struct commit_request r = written_file(present, "hello", 5);
        struct commit_request done = {.kind = COMMIT_REPORTED, .record = {.transfer_id = present}};

        r.request.on_answer = done.request.on_answer = tell_ok;
        memcpy(told->names[present - 1], r.file.name, sizeof r.file.name);
        commit_desk_submit(desk, &r);
        commit_desk_run(desk);
        if (present != 2) /* the second stays owed */
            commit_desk_submit(desk, &done);
        commit_desk_run(desk);
    }
}

static void live(void)
{
    open_desk(DURABILITY_NONE, 0);
    commit_and_mark();
}

static void start_again(void)
{
    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
}

/* Runs `life` in a process of its own and ends that at the stop before or after its `stop`th system
 * call. True if it got so far. */
static bool kill_at(void (*life)(void), unsigned stop)
{
    int status;
    pid_t child = fork();

    cr_assert_neq(child, -1);
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        life();
        _exit(0);
    }
    for (unsigned i = 0; i <= stop; i++) {
        cr_assert_eq(waitpid(child, &status, 0), child);
        if (WIFEXITED(status) || WIFSIGNALED(status))
            return false;
        if (i < stop)
            cr_assert_eq(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
    }
    kill(child, SIGKILL);
    cr_assert_eq(waitpid(child, &status, 0), child);
    return true;
}

static unsigned times_owed[VICTIM_FILES], times_failed[VICTIM_FILES];

static void see_owed(void *ctx, const struct inbox_record *record, bool is_finished)
{
    (void)ctx;
    cr_assert_leq(record->transfer_id, VICTIM_FILES);
    if (is_finished)
        times_owed[record->transfer_id - 1]++;
    else
        times_failed[record->transfer_id - 1]++;
}

/* What must hold after the next start, wherever the life ended. */
static void check_promises(unsigned stop)
{
    memset(times_owed, 0, sizeof times_owed);
    memset(times_failed, 0, sizeof times_failed);
    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    inbox_each_owed(inbox, see_owed, NULL);
    cr_assert_eq(parts_in_inbox(), 0);
    for (unsigned i = 0; i < VICTIM_FILES; i++) {
        bool is_there = told->names[i][0] != '\0' && is_in_inbox(told->names[i], "hello", 5);

        cr_assert(!told->is_ok[i] || is_there, "stop %u: file %u was acknowledged", stop, i + 1);
        cr_assert(!is_there || told->is_ok[i] || times_owed[i] == 1,
                  "stop %u: nobody is told of file %u", stop, i + 1);
        cr_assert_leq(times_owed[i] + times_failed[i], 1, "stop %u: file %u", stop, i + 1);
        cr_assert(times_owed[i] == 0 || is_there, "stop %u: file %u is none", stop, i + 1);
        cr_assert(times_failed[i] == 0 || !is_there, "stop %u: file %u is there", stop, i + 1);
        cr_assert(!told->is_marked[i] || times_owed[i] == 0, "stop %u: file %u", stop, i + 1);
        cr_assert(!told->is_ok[i] || i != 1 || times_owed[i] == 1, "stop %u: lost", stop);
        cr_assert(told->names[i][0] == '\0' || !is_partial(told->names[i]));
    }
    inbox_close(&inbox);
}

static void share_told(void)
{
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(told, MAP_FAILED);
}

DESK_TEST(a_kill_at_any_system_call_of_a_commit_loses_nothing_that_was_acknowledged)
{
    unsigned stop = 1;
    bool is_on;

    share_told();
    do {
        memset(told, 0, sizeof *told);
        is_on = kill_at(live, stop);
        check_promises(stop);
        check_promises(stop);
        remove_tree(inbox_path);
        stop++;
    } while (is_on);
    cr_assert_gt(stop, 50);
    cr_assert(told->is_ok[2] && told->is_marked[2], "the last of them went through");
}

static void leave_parts(void)
{
    open_desk(DURABILITY_NONE, 0);
    commit_and_mark();
    close_desk();
    inbox_close(&inbox);
}

DESK_TEST(a_kill_at_any_system_call_of_a_start_changes_nothing_of_what_is_owed)
{
    unsigned stop = 1;
    bool is_on;

    share_told();
    do {
        struct seen all = {0};

        memset(told, 0, sizeof *told);
        leave_parts();
        is_on = kill_at(start_again, stop);
        check_promises(stop);
        cr_assert_eq(times_owed[1], 1);
        open_inbox(DURABILITY_NONE, LIMIT_BYTES);
        cr_assert_eq(inbox_each_received(inbox, 0, 0, 100, see, &all), ERR_OK);
        cr_assert_eq(all.count, VICTIM_FILES);
        for (unsigned i = 0; i < VICTIM_FILES; i++)
            cr_assert_eq(all.is_reported[i], all.ids[i] != 2, "stop %u", stop);
        inbox_close(&inbox);
        remove_tree(inbox_path);
        stop++;
    } while (is_on);
    cr_assert_gt(stop, 20);
}

DESK_TEST(a_record_whose_file_was_never_renamed_is_a_failed_one)
{
    struct journal_part *part;
    struct commit_request r;
    struct record record = {.kind = RECORD_FILE};

    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    r = written_file(1, "hello", 5);
    record.file = r.record;
    cr_assert_eq(part_new(&part, inbox, 3, 0), ERR_OK);
    cr_assert_eq(journal_add(part->journal, &record), ERR_OK);
    cr_assert_eq(journal_write(part->journal), ERR_OK);
    part_free(&part);
    batch_close_file(&r.file);
    reopen_inbox(DURABILITY_FULL);
    cr_assert_eq(owed_now().failed, 1);
    cr_assert_eq(owed_now().finished, 0);
    cr_assert_not(is_partial(r.file.name));
    cr_assert_eq(parts_in_inbox(), 0);
}
