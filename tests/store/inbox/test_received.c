#include "store/inbox/received.h"

#include "store/inbox/state.h"
#include "store/journal/journal.h"
#include "store/journal/record.h"
#include "store/store_support.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RECEIVED_TEST(name) Test(received, name, .init = set_up, .fini = clean_up, .timeout = 30)

enum { SEEN_MAX = 64, SOME = 10 };

static struct inbox_received *received;
static atomic_bool is_stopping;

static struct {
    size_t count;
    uint32_t ids[SEEN_MAX];
    bool is_reported[SEEN_MAX], is_there[SEEN_MAX];
} seen;

static void set_up(void)
{
    make_scratch();
    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    cr_assert_eq(inbox_received_open(&received, inbox, &is_stopping), ERR_OK);
}

static void clean_up(void)
{
    inbox_received_close(&received);
    remove_scratch();
}

static void see(void *ctx, const struct journal_file *record, bool is_reported, bool is_there)
{
    (void)ctx;
    cr_assert_lt(seen.count, SEEN_MAX);
    seen.ids[seen.count] = record->transfer_id;
    seen.is_reported[seen.count] = is_reported;
    seen.is_there[seen.count++] = is_there;
}

static void ask_for(const struct inbox_received_query *query)
{
    memset(&seen, 0, sizeof seen);
    cr_assert_eq(inbox_received_each(received, query, see, NULL), ERR_OK);
}

/* A record without a file. */
static void add_record(uint32_t id, int64_t committed_us)
{
    struct commit_request r = {.record = {.transfer_id = id,
                                          .committed_us = committed_us,
                                          .proto = "tcp",
                                          .idurl = "a",
                                          .peer = {.family = ADDRESS_V4, .port = 7771}}};

    snprintf(r.record.name, sizeof r.record.name, "20260101T000000Z-%016x.in", id);
    journal_file_only(&r);
}

/* Ids 1 to SOME at 1000 us, 2000 us, ... */
static void add_some(void)
{
    for (uint32_t id = 1; id <= SOME; id++)
        add_record(id, 1000 * (int64_t)id);
}

static void expect_ids(const char *name, uint32_t first, size_t count)
{
    cr_expect_eq(seen.count, count, "%s: %zu", name, seen.count);
    for (size_t i = 0; i < seen.count; i++)
        cr_expect_eq(seen.ids[i], first + i, "%s: %u at %zu", name, seen.ids[i], i);
}

RECEIVED_TEST(a_page_is_found_from_either_end_and_from_any_position)
{
    static const struct {
        const char *name;
        struct inbox_received_query query;
        uint32_t first;
        size_t count;
    } rows[] = {
        {"all", {.limit = 100}, 1, 10},
        {"the first three", {.limit = 3}, 1, 3},
        {"behind an offset", {.offset = 4, .limit = 3}, 5, 3},
        {"behind an offset, the last", {.offset = 9, .limit = 3}, 10, 1},
        {"behind an offset beyond all", {.offset = 99, .limit = 3}, 0, 0},
        {"from a time on", {.since_us = 4000, .limit = 100}, 4, 7},
        {"from a time between two on", {.since_us = 4001, .limit = 100}, 5, 6},
        {"from a time on, behind an offset", {.since_us = 4000, .offset = 2, .limit = 2}, 6, 2},
        {"after the last", {.since_us = 10001, .limit = 100}, 0, 0},
        {"after a position",
         {.from = INBOX_RECEIVED_AFTER, .position = {3000, 3}, .limit = 2},
         4,
         2},
        {"after an unused position",
         {.from = INBOX_RECEIVED_AFTER, .position = {3000, 7}, .limit = 2},
         4,
         2},
        {"after a position before since_us",
         {.from = INBOX_RECEIVED_AFTER, .position = {3000, 3}, .since_us = 8000, .limit = 2},
         8,
         2},
        {"after the newest",
         {.from = INBOX_RECEIVED_AFTER, .position = {10000, 10}, .limit = 2},
         0,
         0},
        {"before a position",
         {.from = INBOX_RECEIVED_BEFORE, .position = {6000, 6}, .limit = 2},
         4,
         2},
        {"before the second",
         {.from = INBOX_RECEIVED_BEFORE, .position = {2000, 2}, .limit = 9},
         1,
         1},
        {"before the first",
         {.from = INBOX_RECEIVED_BEFORE, .position = {1000, 1}, .limit = 9},
         0,
         0},
        {"before a position, since a time",
         {.from = INBOX_RECEIVED_BEFORE, .position = {6000, 6}, .since_us = 5000, .limit = 9},
         5,
         1},
        {"before a position before since_us",
         {.from = INBOX_RECEIVED_BEFORE, .position = {3000, 3}, .since_us = 5000, .limit = 9},
         0,
         0},
        {"the newest", {.from = INBOX_RECEIVED_NEWEST, .limit = 3}, 8, 3},
        {"the newest, more than there are", {.from = INBOX_RECEIVED_NEWEST, .limit = 30}, 1, 10},
        {"the newest, from a time on",
         {.from = INBOX_RECEIVED_NEWEST, .since_us = 9500, .limit = 3},
         10,
         1},
    };

    add_some();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ask_for(&rows[i].query);
        expect_ids(rows[i].name, rows[i].first, rows[i].count);
    }
}

static void write_mark(enum journal_record_kind kind, uint32_t id)
{
    const struct journal_record record = {.kind = kind, .number = id};

    cr_assert_eq(journal_add(inbox->journal, &record), ERR_OK);
    cr_assert_eq(journal_write(inbox->journal), ERR_OK);
}

RECEIVED_TEST(records_added_between_two_pages_move_none)
{
    struct inbox_received_query next = {.limit = 4};

    add_some();
    ask_for(&next);
    expect_ids("the first page", 1, 4);
    add_record(11, 11000);
    add_record(100, 500); /* older than all others: the clock was set back */
    next = (struct inbox_received_query){
        .from = INBOX_RECEIVED_AFTER, .position = {4000, 4}, .limit = SEEN_MAX};
    ask_for(&next);
    expect_ids("the rest", 5, 7);
    ask_for(&(struct inbox_received_query){.limit = 1});
    expect_ids("now the oldest", 100, 1);
}

RECEIVED_TEST(an_outcome_is_read_after_its_record_was_read)
{
    add_some();
    ask_for(&(struct inbox_received_query){.limit = SEEN_MAX});
    cr_expect(!seen.is_reported[2]);
    write_mark(JOURNAL_RECORD_REPORTED, 3);
    write_mark(JOURNAL_RECORD_VOID, 10);
    ask_for(&(struct inbox_received_query){.limit = SEEN_MAX});
    expect_ids("without the file that was not stored", 1, 9);
    for (size_t i = 0; i < seen.count; i++)
        cr_expect_eq(seen.is_reported[i], seen.ids[i] == 3, "%u", seen.ids[i]);
}

RECEIVED_TEST(a_rewritten_journal_is_read_again)
{
    add_some();
    for (uint32_t id = 1; id <= SOME; id++)
        write_mark(JOURNAL_RECORD_REPORTED, id);
    ask_for(&(struct inbox_received_query){.limit = SEEN_MAX});
    cr_assert_eq(seen.count, 10);
    cr_assert_eq(journal_rewrite(inbox->journal), ERR_OK);
    add_record(11, 11000);
    ask_for(&(struct inbox_received_query){.from = INBOX_RECEIVED_NEWEST, .limit = 2});
    expect_ids("the newest", 10, 2);
    cr_assert(seen.is_reported[0] && !seen.is_reported[1]);
}

static void put_line(int fd, const char *idurl, uint32_t id)
{
    struct journal_record record = {.kind = JOURNAL_RECORD_FILE,
                                    .file = {.transfer_id = id,
                                             .committed_us = 1000 * (int64_t)id,
                                             .proto = "tcp",
                                             .idurl = idurl,
                                             .peer = {.family = ADDRESS_V4, .port = 7771}}};
    char line[JOURNAL_RECORD_LINE_MAX];
    size_t length;

    snprintf(record.file.name, sizeof record.file.name, "20260101T000000Z-%016x.in", id);
    length = journal_record_write(line, &record, JOURNAL_VERSION);
    cr_assert_eq(write(fd, line, length), (ssize_t)length);
}

/* A write that failed half way, and the next one, after the reader has read all of the first. */
RECEIVED_TEST(a_truncated_and_extended_journal_is_read_again)
{
    static const char *const idurls[] = {"a",
                                         "ab",
                                         "abc",
                                         "abcd",
                                         "abcdefgh",
                                         "abcdefghijklmno",
                                         "a longer idurl than before, at any rate",
                                         ""};
    struct stat whole;
    int fd;

    add_some();
    fd = openat(inbox->partial_fd, "journal", O_RDWR | O_APPEND | O_CLOEXEC);
    cr_assert(fd >= 0 && fstat(fd, &whole) == 0);
    for (uint32_t i = 0; i < sizeof idurls / sizeof *idurls; i++) {
        for (uint32_t cut = 1; cut <= 3; cut++) {
            uint32_t first = 100 * (i + 1) + 10 * cut;

            cr_assert_eq(ftruncate(fd, whole.st_size), 0);
            for (uint32_t n = 0; n < cut; n++)
                put_line(fd, "abc", 90 + n);
            ask_for(&(struct inbox_received_query){.limit = SEEN_MAX});
            cr_assert_eq(seen.count, SOME + cut);
            cr_assert_eq(ftruncate(fd, whole.st_size), 0);
            for (uint32_t n = 0; n < 4; n++)
                put_line(fd, idurls[i], first + n);
            ask_for(&(struct inbox_received_query){
                .from = INBOX_RECEIVED_AFTER, .position = {10000, 10}, .limit = 9});
            expect_ids(idurls[i], first, 4);
        }
    }
    close(fd);
}

RECEIVED_TEST(unordered_records_are_listed_in_order)
{
    static const int64_t times_us[] = {5000, 3000, 9000, 1000, 7000, 8000, 2000, 6000, 4000};

    for (size_t i = 0; i < sizeof times_us / sizeof *times_us; i++) {
        add_record((uint32_t)(times_us[i] / 1000), times_us[i]);
        ask_for(&(struct inbox_received_query){.limit = SEEN_MAX});
        cr_assert_eq(seen.count, i + 1);
        for (size_t n = 1; n < seen.count; n++)
            cr_assert_lt(seen.ids[n - 1], seen.ids[n]);
    }
    expect_ids("all", 1, 9);
}

RECEIVED_TEST(a_removed_file_is_listed_as_missing)
{
    static const char *const cases[] = {"there", "removed", "a folder", "a link", "another file"};
    enum { WAYS = sizeof cases / sizeof *cases };
    static const bool expected[WAYS] = {true, false, false, false, true};
    char path[INBOX_PATH_SIZE], elsewhere[INBOX_PATH_SIZE];

    for (uint32_t id = 1; id <= WAYS; id++) {
        struct commit_request r = written_file(id, "x", 1);

        r.record.committed_us = id;
        commit_all(&r, 1);
        inbox_final_path(inbox, r.record.name, path);
        if (id > 1)
            cr_assert_eq(unlink(path), 0);
        if (id == 3)
            cr_assert_eq(mkdir(path, 0700), 0);
        snprintf(elsewhere, sizeof elsewhere, "%s", inbox_path);
        if (id == 4)
            cr_assert_eq(symlink(elsewhere, path), 0);
        if (id == 5) {
            FILE *out = fopen(path, "w");

            cr_assert_not_null(out);
            fclose(out);
        }
    }
    ask_for(&(struct inbox_received_query){.limit = SEEN_MAX});
    cr_assert_eq(seen.count, WAYS);
    for (size_t i = 0; i < WAYS; i++)
        cr_expect_eq(seen.is_there[i], expected[i], "%s", cases[i]);
}

RECEIVED_TEST(a_stop_aborts_the_query)
{
    const struct inbox_received_query all = {.limit = SEEN_MAX};

    add_some();
    atomic_store(&is_stopping, true);
    cr_assert_eq(inbox_received_each(received, &all, see, NULL), ERR_CLOSED);
    atomic_store(&is_stopping, false);
    ask_for(&all);
    expect_ids("afterwards", 1, 10);
    inbox_received_forget(received);
    ask_for(&all);
    expect_ids("read again", 1, 10);
}
