#include "store/journal/journal.h"

#include "base/clock.h"
#include "store/inbox/state.h"
#include "store/journal/ledger.h"
#include "store/journal/record.h"
#include "store/store_support.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char journal_path[SCRATCH_SIZE + 64];

static void a_journal(void)
{
    make_scratch();
    snprintf(journal_path, sizeof journal_path, "%s/.dustwire/journal", inbox_path);
}

static struct journal_record file_record(uint32_t id)
{
    struct journal_record record = {.kind = JOURNAL_RECORD_FILE};

    record.file = (struct journal_file){.transfer_id = id,
                                        .size_bytes = 1024,
                                        .started_us = -5,
                                        .committed_us = 1795232999206714,
                                        .proto = "tcp",
                                        .idurl = "http://example.net/alice.xml"};
    snprintf(record.file.name, sizeof record.file.name, "20261121T031415Z-%016x.in", id);
    return record;
}

static void add(const struct journal_record *record)
{
    cr_assert_eq(journal_add(inbox->journal, record), ERR_OK);
}

static void add_number(enum journal_record_kind kind, uint32_t number)
{
    struct journal_record record = {.kind = kind, .number = number};

    add(&record);
}

Test(journal, a_tail_torn_at_any_byte_loses_only_that_record, .init = a_journal,
     .fini = remove_scratch, .timeout = 60)
{
    struct journal_record first = file_record(1), last = file_record(2);
    uint64_t before, after;

    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    add(&first);
    add_number(JOURNAL_RECORD_VOID, 1); /* so that no start writes one: the file does not exist */
    journal_write(inbox->journal);
    before = journal_size(inbox->journal);
    add(&last);
    journal_write(inbox->journal);
    after = journal_size(inbox->journal);
    for (uint64_t end = after - 1; end >= before; end--) {
        inbox_close(&inbox);
        cr_assert_eq(truncate(journal_path, (off_t)end), 0);
        open_inbox(DURABILITY_NONE, LIMIT_BYTES);
        cr_assert_eq(inbox_recovery(inbox)->damaged_records, 0);
        cr_assert_eq(unreported_now().failed, 1);
        cr_assert_eq(unreported_now().last_id, 1);
        cr_assert_eq(journal_size(inbox->journal), before);
        add(&last); /* overwrites the torn one */
        journal_write(inbox->journal);
        cr_assert_eq(journal_size(inbox->journal), after);
        cr_assert_eq(unreported_now().last_id, 2);
    }
}

/* The inbox must be closed. */
static void three_files_of_which_the_second_is_damaged(void)
{
    uint64_t offsets[3];
    int fd;

    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    for (uint32_t id = 1; id <= 3; id++) {
        struct journal_record record = file_record(id);

        offsets[id - 1] = journal_size(inbox->journal);
        add(&record);
        add_number(JOURNAL_RECORD_SETTLED, 1);
        journal_write(inbox->journal);
    }
    inbox_close(&inbox);
    fd = open(journal_path, O_WRONLY | O_CLOEXEC);
    cr_assert_eq(pwrite(fd, "\0\0", 2, (off_t)offsets[1] + 4), 2);
    close(fd);
}

static void the_first_and_the_third_are_unreported(void)
{
    cr_assert_eq(unreported_now().finished, 2);
    cr_assert_eq(unreported_now().last_id, 3);
}

#define DAMAGE_TEST(name) \
    Test(journal, name, .init = a_journal, .fini = remove_scratch, .timeout = 10)

DAMAGE_TEST(a_damaged_line_in_the_middle_is_skipped_and_counted)
{
    three_files_of_which_the_second_is_damaged();
    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    cr_assert_eq(inbox_recovery(inbox)->damaged_records, 1);
    the_first_and_the_third_are_unreported();
}

DAMAGE_TEST(a_damaged_line_is_left_behind_by_a_rewrite)
{
    three_files_of_which_the_second_is_damaged();
    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    cr_assert_eq(journal_rewrite(inbox->journal), ERR_OK);
    the_first_and_the_third_are_unreported();
    reopen_inbox(DURABILITY_NONE);
    cr_assert_eq(inbox_recovery(inbox)->damaged_records, 0);
    the_first_and_the_third_are_unreported();
}

DAMAGE_TEST(a_damaged_line_of_a_part_is_skipped_and_counted)
{
    char part_path[sizeof journal_path + 4];

    snprintf(part_path, sizeof part_path, "%s-0-0", journal_path);
    three_files_of_which_the_second_is_damaged();
    cr_assert_eq(rename(journal_path, part_path), 0);
    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    cr_assert_eq(inbox_recovery(inbox)->damaged_records, 1);
    the_first_and_the_third_are_unreported();
    cr_assert_neq(access(part_path, F_OK), 0);
}

/* Foreign files beside the journal are not treated as parts. */
DAMAGE_TEST(what_only_begins_like_a_part_is_left_alone)
{
    static const char *const names[] = {"journal-old",
                                        "journal-",
                                        "journal-1",
                                        "journal-1-",
                                        "journal-a-1",
                                        "journal-0-1.bak",
                                        "journal-2026-11-28",
                                        "journal-00-1",
                                        "journal--1-2",
                                        "journal- 1-2",
                                        "journal-99999999999-1"};

    three_files_of_which_the_second_is_damaged();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[sizeof journal_path + 32];

        snprintf(path, sizeof path, "%s/.dustwire/%s", inbox_path, names[i]);
        cr_assert_eq(link(journal_path, path), 0);
        open_inbox(DURABILITY_NONE, LIMIT_BYTES);
        cr_assert_eq(inbox_recovery(inbox)->damaged_records, 1, "%s was read", names[i]);
        inbox_close(&inbox);
        cr_assert_eq(unlink(path), 0, "%s is removed", names[i]);
    }
    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
}

DAMAGE_TEST(a_part_that_cannot_be_read_leaves_the_journal_as_it_was)
{
    struct journal_record record = file_record(1);
    unsigned damaged = 0;
    uint64_t size;

    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    size = journal_size(inbox->journal);
    cr_assert_eq(journal_append_part(inbox->journal, inbox->partial_fd, UINT64_MAX, &damaged),
                 ERR_NOT_REGULAR, "a folder");
    cr_assert_eq(journal_size(inbox->journal), size);
    add(&record);
    add_number(JOURNAL_RECORD_SETTLED, 1);
    cr_assert_eq(journal_write(inbox->journal), ERR_OK);
    reopen_inbox(DURABILITY_NONE);
    cr_assert_eq(inbox_recovery(inbox)->damaged_records, 0);
    cr_assert_eq(unreported_now().last_id, 1);
}

Test(journal, garbage_of_any_length_without_a_line_end_is_survived, .init = a_journal,
     .fini = remove_scratch, .timeout = 10)
{
    static char garbage[300000];
    struct journal_record record = file_record(1);
    int fd;

    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    inbox_close(&inbox);
    memset(garbage, 'g', sizeof garbage);
    fd = open(journal_path, O_WRONLY | O_APPEND | O_CLOEXEC);
    cr_assert_eq(write(fd, garbage, sizeof garbage), sizeof garbage);
    cr_assert_eq(write(fd, "\n", 1), 1);
    close(fd);
    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    cr_assert_eq(inbox_recovery(inbox)->damaged_records, 1);
    add(&record);
    add_number(JOURNAL_RECORD_SETTLED, 1);
    journal_write(inbox->journal);
    reopen_inbox(DURABILITY_NONE);
    cr_assert_eq(unreported_now().finished, 1);
}

Test(journal, of_a_later_version_is_refused_with_a_message, .init = a_journal,
     .fini = remove_scratch, .timeout = 10)
{
    static char line[JOURNAL_RECORD_LINE_MAX];
    struct journal_record header = {.kind = JOURNAL_RECORD_HEADER, .number = JOURNAL_VERSION + 1};
    char problem[512];
    size_t length = journal_record_write(line, &header, JOURNAL_VERSION);
    int fd;

    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    inbox_close(&inbox);
    fd = open(journal_path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    cr_assert_eq(write(fd, line, length), (ssize_t)length);
    close(fd);
    cr_assert_eq(
        inbox_open(&inbox, inbox_path, DURABILITY_NONE, LIMIT_BYTES, problem, sizeof problem),
        ERR_CORRUPT);
    cr_assert_not_null(strstr(problem, "later version"));
}

enum { REPORTED = 99 };

static void put(int fd, const struct journal_record *record, uint32_t version)
{
    static char line[JOURNAL_RECORD_LINE_MAX];
    size_t length = journal_record_write(line, record, version);

    cr_assert_eq(write(fd, line, length), (ssize_t)length);
}

static void put_number(int fd, enum journal_record_kind kind, uint32_t number)
{
    put(fd, &(struct journal_record){.kind = kind, .number = number}, JOURNAL_VERSION);
}

/* Replaces the journal of the closed inbox: reported files, and a last one that was not. */
static void a_journal_of_version(uint32_t version)
{
    int fd = open(journal_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    put_number(fd, JOURNAL_RECORD_HEADER, version);
    put_number(fd, JOURNAL_RECORD_IDS, 65537);
    for (uint32_t id = 1; id <= REPORTED + 1; id++) {
        struct journal_record record = file_record(id);

        put(fd, &record, version);
        if (version > JOURNAL_VERSION_UNSETTLED)
            put_number(fd, JOURNAL_RECORD_SETTLED, 1);
        if (id <= REPORTED)
            put_number(fd, JOURNAL_RECORD_REPORTED, id);
    }
    close(fd);
}

static size_t read_journal(char *to, size_t room)
{
    int fd = open(journal_path, O_RDONLY | O_CLOEXEC);
    ssize_t length = read(fd, to, room - 1);

    close(fd);
    cr_assert(length >= 0 && (size_t)length < room - 1);
    to[length] = '\0';
    return (size_t)length;
}

static unsigned count_of(const char *text, const char *what)
{
    unsigned count = 0;

    while ((text = strstr(text, what)) != NULL) {
        count++;
        text++;
    }
    return count;
}

static void count_row(void *ctx, const struct journal_file *record, bool is_reported)
{
    unsigned *rows = ctx;

    cr_assert_str_eq(record->proto, "tcp");
    cr_assert_eq(is_reported, record->transfer_id <= REPORTED);
    ++*rows;
}

/* The limit is so low that an ordinary rewrite would drop many of them. */
Test(journal, of_an_older_version_is_rewritten_completely, .init = a_journal,
     .fini = remove_scratch, .timeout = 10)
{
    static char bytes[LIMIT_BYTES];

    for (uint32_t version = JOURNAL_VERSION_UNSETTLED; version <= JOURNAL_VERSION; version++) {
        uint64_t limit_bytes;

        open_inbox(DURABILITY_FULL, LIMIT_BYTES);
        inbox_close(&inbox);
        a_journal_of_version(version);
        limit_bytes = read_journal(bytes, sizeof bytes) + 2000;
        for (unsigned again = 0; again < 2; again++) {
            unsigned rows = 0;

            open_inbox(DURABILITY_FULL, limit_bytes);
            cr_assert_eq(inbox_recovery(inbox)->damaged_records, 0);
            cr_assert_eq(unreported_now().finished, 1, "version %u", (unsigned)version);
            cr_assert_eq(unreported_now().last_id, REPORTED + 1);
            cr_assert_str_eq(unreported_now().last_proto, "tcp");
            cr_assert_eq(inbox_each_received(inbox, 0, 0, SIZE_MAX, count_row, &rows), ERR_OK);
            cr_assert_eq(rows, REPORTED + 1);
            inbox_close(&inbox);
            read_journal(bytes, sizeof bytes);
            cr_assert_eq(strncmp(bytes, "H\tdustwire-journal\t3\t", 21), 0);
            cr_assert_eq(count_of(bytes, "\ttcp\t"), REPORTED + 1);
        }
    }
}

Test(journal, of_an_older_version_is_unchanged_if_the_disk_is_full, .init = a_journal,
     .fini = remove_scratch, .timeout = 10)
{
    static char before[LIMIT_BYTES], after[LIMIT_BYTES];
    struct rlimit loose, tight;
    char problem[512];

    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    inbox_close(&inbox);
    a_journal_of_version(2);
    read_journal(before, sizeof before);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &loose);
    tight = (struct rlimit){strlen(before) / 2, loose.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    cr_assert_neq(
        inbox_open(&inbox, inbox_path, DURABILITY_FULL, LIMIT_BYTES, problem, sizeof problem),
        ERR_OK);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &loose), 0);
    cr_assert_not_null(strstr(problem, "its journal .dustwire/journal* is unusable"), "%s",
                       problem);
    read_journal(after, sizeof after);
    cr_assert_str_eq(after, before);
    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    cr_assert_eq(unreported_now().finished, 1);
}

/* Until the journal is upgraded, the daemon that wrote it can read what was added. */
Test(journal, of_an_older_version_is_appended_to_in_its_format, .init = a_journal,
     .fini = remove_scratch, .timeout = 10)
{
    static char bytes[LIMIT_BYTES];
    struct journal *journal;
    unsigned damaged = 0;
    int dir_fd, fd;

    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    dir_fd = dup(inbox->partial_fd);
    inbox_close(&inbox);
    a_journal_of_version(JOURNAL_VERSION_UNSETTLED);
    fd = open(journal_path, O_RDONLY | O_CLOEXEC);
    cr_assert_eq(journal_open(&journal, dir_fd, DURABILITY_NONE, LIMIT_BYTES), ERR_OK);
    cr_assert_eq(journal_append_part(journal, fd, journal_size(journal), &damaged), ERR_OK);
    read_journal(bytes, sizeof bytes);
    cr_assert_eq(count_of(bytes, "\nF\t"), 2 * (REPORTED + 1));
    cr_assert_eq(count_of(bytes, "\ttcp\t"), 0);
    cr_assert_eq(journal_upgrade(journal), ERR_OK);
    read_journal(bytes, sizeof bytes);
    cr_assert_eq(count_of(bytes, "\nF\t"), 2 * (REPORTED + 1));
    cr_assert_eq(count_of(bytes, "\ttcp\t"), 2 * (REPORTED + 1));
    journal_close(&journal);
    close(fd);
    close(dir_fd);
}

Test(journal, an_unreported_report_keeps_its_proto_also_after_a_rewrite, .init = a_journal,
     .fini = remove_scratch, .timeout = 10)
{
    struct journal_record record = file_record(5);

    record.file.proto = "udp";
    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    add(&record);
    add_number(JOURNAL_RECORD_SETTLED, 1);
    cr_assert_eq(journal_write(inbox->journal), ERR_OK);
    reopen_inbox(DURABILITY_NONE);
    cr_assert_str_eq(unreported_now().last_proto, "udp");
    cr_assert_eq(journal_rewrite(inbox->journal), ERR_OK);
    cr_assert_str_eq(unreported_now().last_proto, "udp");
}

/* As on a full disk: the journal cannot grow while `write` runs. */
static void write_on_a_full_disk(void)
{
    struct rlimit loose, tight;

    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &loose);
    tight = (struct rlimit){journal_size(inbox->journal), loose.rlim_max};
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &tight), 0);
    cr_assert_neq(journal_write(inbox->journal), ERR_OK);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &loose), 0);
}

static void three_files_of_which_two_are_decided_on_a_full_disk(void)
{
    open_inbox(DURABILITY_FULL, 1 << 20);
    for (uint32_t id = 1; id <= 3; id++) {
        struct journal_record record = file_record(id);

        add(&record);
    }
    add_number(JOURNAL_RECORD_SETTLED, 3);
    cr_assert_eq(journal_write(inbox->journal), ERR_OK);
    add_number(JOURNAL_RECORD_VOID, 1);
    add_number(JOURNAL_RECORD_REPORTED, 1);
    add_number(JOURNAL_RECORD_REPORTED, 2);
    write_on_a_full_disk();
}

Test(journal, an_outcome_is_written_later_if_the_disk_was_full, .init = a_journal,
     .fini = remove_scratch, .timeout = 5)
{
    three_files_of_which_two_are_decided_on_a_full_disk();
    add_number(JOURNAL_RECORD_REPORTED, 3);
    cr_assert_eq(journal_write(inbox->journal), ERR_OK);
    inbox_close(&inbox);
    open_inbox(DURABILITY_FULL, 1 << 20);
    cr_assert_eq(unreported_now().finished + unreported_now().failed, 0);
    cr_assert_eq(HASH_COUNT(journal_ledger(inbox->journal)->voided), 1);
}

Test(journal, an_outcome_is_written_at_the_latest_at_close, .init = a_journal,
     .fini = remove_scratch, .timeout = 5)
{
    three_files_of_which_two_are_decided_on_a_full_disk();
    inbox_close(&inbox);
    open_inbox(DURABILITY_FULL, 1 << 20);
    cr_assert_eq(unreported_now().finished, 1);
    cr_assert_eq(unreported_now().failed, 0);
}

Test(journal, a_rewrite_keeps_unreported_records_the_next_id_and_the_newest_reported,
     .init = a_journal, .fini = remove_scratch, .timeout = 30)
{
    enum { COUNT = 3000, SMALL = 65536 };
    struct transfer_ids ids, next;
    struct journal_ledger_unreported *unreported;
    uint32_t id;

    open_inbox(DURABILITY_FULL, SMALL);
    cr_assert_eq(inbox_first_ids(inbox, &ids), ERR_OK);
    for (id = 1; id <= COUNT; id++) {
        struct journal_record record = file_record(id);

        add(&record);
        if (id == 17)
            add_number(JOURNAL_RECORD_VOID, id);
        else if (id % 100 != 0)
            add_number(JOURNAL_RECORD_REPORTED, id);
        add_number(JOURNAL_RECORD_SETTLED, 1);
        cr_assert_eq(journal_write(inbox->journal), ERR_OK);
        cr_assert_eq(journal_rewrite_if_needed(inbox->journal), ERR_OK);
        cr_assert_leq(journal_size(inbox->journal), SMALL);
    }
    cr_assert_eq(HASH_COUNT(journal_ledger(inbox->journal)->unreported), COUNT / 100 + 1);
    id = 17;
    HASH_FIND(hh, journal_ledger(inbox->journal)->unreported, &id, sizeof id, unreported);
    cr_assert(unreported != NULL && unreported->is_void);
    inbox_close(&inbox);
    open_inbox(DURABILITY_FULL, SMALL);
    cr_assert_eq(unreported_now().finished, COUNT / 100);
    cr_assert_eq(unreported_now().failed, 1); /* the voided one */
    cr_assert_eq(inbox_first_ids(inbox, &next), ERR_OK);
    cr_assert_eq(next.next, ids.end);
    cr_assert_gt(journal_size(inbox->journal), SMALL / 4);
}

Test(journal, a_hundred_thousand_records_are_read_in_under_a_second, .init = a_journal,
     .fini = remove_scratch, .timeout = 60)
{
    uint64_t begin_ms, limit_bytes = 1 << 30;

    open_inbox(DURABILITY_NONE, limit_bytes);
    for (uint32_t id = 1; id <= 100000; id++) {
        struct journal_record record = file_record(id);

        add(&record);
        add_number(JOURNAL_RECORD_REPORTED, id);
    }
    cr_assert_eq(journal_write(inbox->journal), ERR_OK);
    inbox_close(&inbox);
    begin_ms = clock_mono_ms();
    open_inbox(DURABILITY_NONE, limit_bytes);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    cr_assert_lt(clock_mono_ms() - begin_ms, 1000);
#else
    (void)begin_ms;
#endif
    cr_assert_eq(unreported_now().failed + unreported_now().finished, 0);
}

/* --- a reader beside the writer ----------------------------------------------------------------
 */

static atomic_bool is_over;
static atomic_uint readings;

static void in_order(void *ctx, const struct journal_file *record, bool is_reported)
{
    uint32_t *last = ctx;

    (void)is_reported;
    cr_assert_gt(record->transfer_id, *last);
    *last = record->transfer_id;
}

DAMAGE_TEST(a_damaged_line_costs_a_reader_that_file_only)
{
    uint32_t last = 0;

    three_files_of_which_the_second_is_damaged();
    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    cr_assert_eq(inbox_each_received(inbox, 0, 0, SIZE_MAX, in_order, &last), ERR_OK);
    cr_assert_eq(last, 3);
}

static void *read_over_and_over(void *arg)
{
    (void)arg;
    while (!atomic_load(&is_over)) {
        uint32_t last = 0;

        cr_assert_eq(inbox_each_received(inbox, 0, 0, SIZE_MAX, in_order, &last), ERR_OK);
        atomic_fetch_add(&readings, 1);
    }
    return NULL;
}

Test(journal, is_read_completely_while_it_is_appended_to_and_rewritten, .init = a_journal,
     .fini = remove_scratch, .timeout = 60)
{
    pthread_t reader;

    open_inbox(DURABILITY_NONE, 20000);
    cr_assert_eq(pthread_create(&reader, NULL, read_over_and_over, NULL), 0);
    for (uint32_t id = 1; id <= 5000 || atomic_load(&readings) < 20; id++) {
        struct journal_record record = file_record(id);

        add(&record);
        add_number(JOURNAL_RECORD_REPORTED, id);
        cr_assert_eq(journal_write(inbox->journal), ERR_OK);
        cr_assert_eq(journal_rewrite_if_needed(inbox->journal), ERR_OK);
    }
    atomic_store(&is_over, true);
    pthread_join(reader, NULL);
}
