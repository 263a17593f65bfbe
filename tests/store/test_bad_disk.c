/* A disk that starts to fail at some call, permanently or temporarily: each file is answered
 * exactly once, acknowledged files are intact and reported after the next start, and others are
 * not. */
#include "store/bad_disk.h"
#include "store/store_support.h"
#include "support/folders.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FILES = 20, LARGE = 40000 };

static const struct bad_row {
    const char *name;
    unsigned set;
    int good, bad; /* parameters of disk_refuses */
} rows[] = {
    {"every sync, from the first on", BAD_SYNC, 0, -1},
    {"every sync, from the second on", BAD_SYNC, 1, -1},
    {"every sync, from the journal's on", BAD_SYNC, FILES, -1},
    {"every sync, from the folder's on", BAD_SYNC, 2, -1},
    {"every write, from the first on", BAD_WRITE, 0, -1},
    {"every write, from the second on", BAD_WRITE, 1, -1},
    {"every rename, from the first on", BAD_RENAME, 0, -1},
    {"every rename, from the tenth on", BAD_RENAME, 9, -1},
    {"every unlink", BAD_UNLINK, 0, -1},
    {"renames and unlinks", BAD_RENAME | BAD_UNLINK, 3, -1},
    {"syncs and writes", BAD_SYNC | BAD_WRITE, 1, -1},
    {"syncs and unlinks", BAD_SYNC | BAD_UNLINK, 0, -1},
    {"the folder's sync, and unlinks", BAD_SYNC | BAD_UNLINK, 1, -1},
    {"the folder's sync, and unlinks, for a while", BAD_SYNC | BAD_UNLINK, 1, 30},
    {"all, from the folder's sync on", BAD_ALL, 22, -1},
    {"all, from the folder's sync on, for a while", BAD_ALL, 22, 60},
    {"all but syncs of files", BAD_ALL, 23, -1},
    {"all, from the first on", BAD_ALL, 0, -1},
    {"all, from the second on", BAD_ALL, 1, -1},
    {"all, from the tenth on", BAD_ALL, 9, -1},
    {"syncs for a while", BAD_SYNC, 0, 30},
    {"writes for a while", BAD_WRITE, 0, 2},
    {"renames for a while", BAD_RENAME, 2, 5},
    {"all for a while", BAD_ALL, 0, 40},
    {"all for a while, later", BAD_ALL, 7, 9},
};

static struct commit_request files[FILES];
static char content[LARGE];

/* Small and larger ones alternately. */
static size_t length_of(unsigned i)
{
    return i % 3 == 2 ? LARGE : 100 + i;
}

static unsigned acknowledged(void)
{
    unsigned count = 0;

    for (unsigned i = 0; i < FILES; i++)
        count += files[i].request.result == ERR_OK;
    return count;
}

static void check_files(const char *name)
{
    for (unsigned i = 0; i < FILES; i++)
        if (files[i].request.result == ERR_OK)
            cr_assert(is_in_inbox(files[i].file.name, content, length_of(i)), "%s: file %u", name,
                      i);
}

/* After a start on a working disk: the files reported as finished are the acknowledged ones and all
 * files in the inbox. */
static void check_reports(const char *name, unsigned ok)
{
    struct unreported_seen seen;
    unsigned there;

    reopen_inbox(DURABILITY_FULL);
    seen = unreported_now();
    there = folders_count(inbox_path, ".in");
    cr_assert_geq(seen.finished, ok, "%s: %u of %u reported", name, seen.finished, ok);
    cr_assert_eq(seen.finished, there, "%s: %u reported, %u there", name, seen.finished, there);
}

static void run_row(const struct bad_row *row)
{
    unsigned ok;

    make_scratch();
    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    for (unsigned i = 0; i < FILES; i++)
        files[i] = written_file(i + 1, content, length_of(i));
    disk_refuses(row->set, row->good, row->bad);
    commit_all(files, FILES);
    ok = acknowledged();
    disk_refuses(0, 0, 0);
    check_files(row->name);
    check_reports(row->name, ok);
    check_files(row->name);
    commit_file(100, "after");
    remove_scratch();
}

Test(bad_disk, acknowledged_files_survive_any_fault_and_no_others_are_reported, .timeout = 120)
{
    memset(content, 'x', sizeof content);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        run_row(&rows[i]);
}

/* The same process continues, without a restart. */
Test(bad_disk, that_recovers_accepts_files_again, .timeout = 120)
{
    memset(content, 'x', sizeof content);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        make_scratch();
        open_inbox(DURABILITY_FULL, LIMIT_BYTES);
        for (unsigned j = 0; j < FILES; j++)
            files[j] = written_file(j + 1, content, length_of(j));
        disk_refuses(rows[i].set, rows[i].good, rows[i].bad);
        commit_all(files, FILES);
        disk_refuses(0, 0, 0);
        for (unsigned j = 0; j < FILES; j++)
            files[j] = written_file(100 + j, content, length_of(j));
        commit_all(files, FILES);
        cr_assert_eq(acknowledged(), FILES, "%s", rows[i].name);
        check_files(rows[i].name);
        check_reports(rows[i].name, FILES);
        remove_scratch();
    }
}
