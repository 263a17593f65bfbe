/* What a start reports for a record whose report was not marked, depending on what a crash or a
 * power cut left: the record, with or without a later SETTLED record, and its names. */
#include "store/bad_disk.h"
#include "store/inbox/state.h"
#include "store/journal/journal.h"
#include "store/journal/ledger.h"
#include "store/journal/record.h"
#include "store/name.h"
#include "store/store_support.h"
#include "support/folders.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum place { NOWHERE, PARTIAL, FINAL, BOTH, FINAL_CUT, FINAL_EMPTY, CHANGED, CHANGED_LONGER };
enum told { NOTHING, FINISHED, FAILED };

static const struct settled_row {
    const char *name;
    bool has_settled; /* after the record */
    bool is_void, is_reported;
    enum place place;
    enum told told;
} rows[] = {
    {"a record alone: never acknowledged", false, false, false, NOWHERE, NOTHING},
    {"acknowledged, then removed", true, false, false, NOWHERE, FINISHED},
    {"cut off before the rename", false, false, false, PARTIAL, FAILED},
    {"the rename was undone by a power cut", true, false, false, PARTIAL, FAILED},
    {"cut off after the rename", false, false, false, FINAL, FINISHED},
    {"acknowledged", true, false, false, FINAL, FINISHED},
    {"under both names, not acknowledged", false, false, false, BOTH, FINISHED},
    {"under both names, acknowledged", true, false, false, BOTH, FINISHED},
    {"too short, not acknowledged", false, false, false, FINAL_CUT, FAILED},
    {"too short, acknowledged", true, false, false, FINAL_CUT, FAILED},
    {"empty, not acknowledged", false, false, false, FINAL_EMPTY, FAILED},
    {"its owner has cut it", true, false, false, CHANGED, FINISHED},
    {"its owner has written more to it", true, false, false, CHANGED_LONGER, FINISHED},
    {"cut off after the rename, and changed", false, false, false, CHANGED_LONGER, FINISHED},
    {"failed, removed", false, true, false, NOWHERE, FAILED},
    {"failed and settled, removed", true, true, false, NOWHERE, FAILED},
    {"failed, its file still there", false, true, false, PARTIAL, FAILED},
    {"failed, and could not be removed", true, true, false, FINAL, FAILED},
    {"reported, removed, not settled", false, false, true, NOWHERE, NOTHING},
    {"reported, removed", true, false, true, NOWHERE, NOTHING},
    {"reported, still there", true, false, true, FINAL, NOTHING},
};

static void add_number(enum journal_record_kind kind, uint32_t number)
{
    struct journal_record record = {.kind = kind, .number = number};

    cr_assert_eq(journal_add(inbox->journal, &record), ERR_OK);
}

static void write_records(const struct settled_row *row, const struct commit_request *r)
{
    journal_file_only(r);
    if (row->is_void)
        add_number(JOURNAL_RECORD_VOID, 7);
    if (row->has_settled)
        add_number(JOURNAL_RECORD_SETTLED, 1);
    if (row->is_reported)
        add_number(JOURNAL_RECORD_REPORTED, 7);
    cr_assert_eq(journal_write(inbox->journal), ERR_OK);
}

/* A file truncated by a power cut has the time of its writing. */
static void change(enum place place, const char *name)
{
    static const off_t lengths[] = {
        [FINAL] = 5, [FINAL_CUT] = 2, [FINAL_EMPTY] = 0, [CHANGED] = 2, [CHANGED_LONGER] = 9};
    static const struct timespec early[2];
    int fd = openat(inbox->dir_fd, name, O_WRONLY | O_CLOEXEC);

    cr_assert_eq(ftruncate(fd, lengths[place]), 0);
    if (place != CHANGED && place != CHANGED_LONGER)
        cr_assert_eq(futimens(fd, early), 0);
    close(fd);
}

static void put_in_place(enum place place, const char *name)
{
    int from = inbox_partial_file_folder(inbox, name);

    if (place == NOWHERE)
        cr_assert_eq(unlinkat(from, name, 0), 0);
    else if (place == BOTH)
        cr_assert_eq(linkat(from, name, inbox->dir_fd, name, 0), 0);
    else if (place != PARTIAL)
        cr_assert_eq(renameat(from, name, inbox->dir_fd, name), 0);
    if (place == FINAL || place >= FINAL_CUT)
        change(place, name);
}

static void check(const struct settled_row *row)
{
    struct unreported_seen seen = unreported_now();

    cr_assert_eq(seen.finished, row->told == FINISHED, "%s: finished %u", row->name, seen.finished);
    cr_assert_eq(seen.failed, row->told == FAILED, "%s: failed %u", row->name, seen.failed);
}

static bool is_to_stand(const struct settled_row *row)
{
    if (row->is_void)
        return false;
    return row->place == FINAL || row->place == BOTH || row->place == CHANGED ||
           row->place == CHANGED_LONGER;
}

static void run_row(const struct settled_row *row, enum durability durability)
{
    struct commit_request r;

    make_scratch();
    open_inbox(durability, LIMIT_BYTES);
    r = written_file(7, "hello", 5);
    close(r.file.fd);
    write_records(row, &r);
    put_in_place(row->place, r.file.name);
    reopen_inbox(durability);
    check(row);
    reopen_inbox(durability); /* and no different result after that */
    check(row);
    cr_assert_eq(folders_count(inbox_path, ".in"), is_to_stand(row), "%s", row->name);
    remove_scratch();
}

Test(settled, a_start_reports_the_outcome_of_each_record, .timeout = 60)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        run_row(&rows[i], DURABILITY_FULL);
        run_row(&rows[i], DURABILITY_NONE);
    }
}

/* As written by release 0.1: every record without a file counts as acknowledged. */
Test(settled, a_journal_of_version_1_keeps_its_meaning, .timeout = 20)
{
    struct journal_record header = {.kind = JOURNAL_RECORD_HEADER,
                                    .number = JOURNAL_VERSION_UNSETTLED};
    char line[JOURNAL_RECORD_LINE_MAX];
    struct commit_request r;

    make_scratch();
    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    r = written_file(7, "hello", 5);
    close(r.file.fd);
    journal_file_only(&r);
    put_in_place(NOWHERE, r.file.name);
    cr_assert_eq(pwrite(journal_fd(inbox->journal), line,
                        journal_record_write(line, &header, JOURNAL_VERSION), 0) > 0,
                 1);
    for (unsigned i = 0; i < 3; i++) { /* read, rewritten, read in the new version */
        reopen_inbox(DURABILITY_FULL);
        cr_assert_eq(unreported_now().finished, 1);
        cr_assert_eq(journal_ledger(inbox->journal)->version, (unsigned)JOURNAL_VERSION);
    }
    remove_scratch();
}

/* What a rewrite keeps. */
Test(settled, a_rewrite_keeps_what_was_settled_and_what_was_not, .timeout = 20)
{
    struct commit_request first, second;

    make_scratch();
    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    first = written_file(7, "hello", 5);
    second = written_file(8, "hello", 5);
    close(first.file.fd);
    close(second.file.fd);
    journal_file_only(&first);
    add_number(JOURNAL_RECORD_SETTLED, 1);
    journal_file_only(&second);
    put_in_place(NOWHERE, first.file.name);
    put_in_place(NOWHERE, second.file.name);
    cr_assert_eq(journal_rewrite(inbox->journal), ERR_OK);
    reopen_inbox(DURABILITY_FULL);
    cr_assert_eq(unreported_now().finished, 1);
    cr_assert_eq(unreported_now().last_id, 7);
    cr_assert_eq(unreported_now().failed, 0);
    remove_scratch();
}

/* A SETTLED record that could not be written must not drop the one before. */
Test(settled, a_rewrite_after_a_full_disk_keeps_what_was_settled, .timeout = 20)
{
    struct commit_request first;

    make_scratch();
    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    first = written_file(7, "hello", 5);
    close(first.file.fd);
    journal_file_only(&first);
    add_number(JOURNAL_RECORD_SETTLED, 1);
    cr_assert_eq(journal_write(inbox->journal), ERR_OK);
    put_in_place(NOWHERE, first.file.name);
    add_number(JOURNAL_RECORD_VOID, 8);
    add_number(JOURNAL_RECORD_SETTLED, 1);
    disk_refuses(BAD_WRITE, 0, 1);
    cr_assert_neq(journal_write(inbox->journal), ERR_OK);
    disk_refuses(0, 0, 0);
    cr_assert_eq(journal_rewrite(inbox->journal), ERR_OK);
    reopen_inbox(DURABILITY_FULL);
    cr_assert_eq(unreported_now().finished, 1);
    remove_scratch();
}
