#include "store/journal/reader.h"

#include "store/journal/record.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FILES = 4 };

/* A journal of files 1 to FILES, as a file and in memory. */
static int fd;
static char bytes[FILES * JOURNAL_RECORD_LINE_MAX];
static uint64_t begins[FILES + 1]; /* starts of their lines; the last is the end */

static void a_journal_of(uint32_t version)
{
    uint64_t at = 0;

    for (uint32_t id = 1; id <= FILES; id++) {
        struct journal_record record = {
            .kind = JOURNAL_RECORD_FILE,
            .file = {.transfer_id = id, .proto = id == 1 ? "udp" : "tcp", .idurl = "x"}};

        snprintf(record.file.name, sizeof record.file.name, "20261121T031415Z-%016x.in", id);
        begins[id - 1] = at;
        at += journal_record_write(bytes + at, &record, version);
    }
    begins[FILES] = at;
    fd = memfd_create("journal", MFD_CLOEXEC);
    cr_assert_eq(write(fd, bytes, at), (ssize_t)at);
}

static void a_journal(void)
{
    a_journal_of(JOURNAL_VERSION);
}

static void no_journal(void)
{
    close(fd);
}

#define READER_TEST(name) \
    Test(journal_reader, name, .init = a_journal, .fini = no_journal, .timeout = 5)

struct seen {
    unsigned count;
    uint32_t ids[FILES];
    char first_proto[JOURNAL_FILE_PROTO_SIZE];
    uint32_t refused_id; /* 0: none */
};

static enum err see(void *ctx, const struct journal_entry *entry)
{
    uint32_t id = entry->record.file.transfer_id;
    struct seen *seen = ctx;

    cr_assert_lt(seen->count, FILES);
    cr_assert_eq(entry->offset, begins[id - 1]);
    cr_assert_eq(entry->length, begins[id] - begins[id - 1]);
    if (seen->count == 0)
        snprintf(seen->first_proto, sizeof seen->first_proto, "%s", entry->record.file.proto);
    seen->ids[seen->count++] = id;
    return id == seen->refused_id ? ERR_NO_SPACE : ERR_OK;
}

/* Changes a digit; 1 is the first file. */
static void damage(uint32_t id)
{
    cr_assert_eq(pwrite(fd, "x", 1, (off_t)begins[id - 1] + 2), 1);
}

READER_TEST(gives_the_records_in_order_and_says_where_each_stands)
{
    struct journal_extent extent;
    struct seen seen = {0};

    cr_assert_eq(journal_reader_each(fd, 0, UINT64_MAX, see, &seen, &extent), ERR_OK);
    cr_assert_eq(seen.count, FILES);
    for (unsigned i = 0; i < FILES; i++)
        cr_assert_eq(seen.ids[i], i + 1);
    cr_assert_eq(extent.end, begins[FILES]);
    cr_assert_eq(extent.damaged, 0);
}

READER_TEST(gives_the_records_of_every_version)
{
    for (uint32_t version = JOURNAL_VERSION_UNSETTLED; version <= JOURNAL_VERSION; version++) {
        struct journal_extent extent;
        struct seen seen = {0};

        no_journal();
        a_journal_of(version);
        cr_assert_eq(journal_reader_each(fd, 0, UINT64_MAX, see, &seen, &extent), ERR_OK);
        cr_assert_eq(seen.count, FILES);
        cr_assert_eq(extent.damaged, 0);
        cr_assert_str_eq(seen.first_proto, version < JOURNAL_VERSION ? "tcp" : "udp");
    }
}

READER_TEST(gives_only_whole_lines_between_its_two_offsets)
{
    for (uint64_t most = begins[1]; most <= begins[3]; most++) {
        unsigned whole = most < begins[2] ? 0 : most < begins[3] ? 1 : 2;
        struct journal_extent extent;
        struct seen seen = {0};

        cr_assert_eq(journal_reader_each(fd, begins[1], most, see, &seen, &extent), ERR_OK);
        cr_assert_eq(seen.count, whole);
        cr_assert(whole == 0 || seen.ids[0] == 2);
        cr_assert_eq(extent.end, begins[1 + whole]);
        cr_assert_eq(extent.damaged, 0);
    }
}

READER_TEST(takes_a_last_line_without_its_end_for_not_there)
{
    struct journal_extent extent;
    struct seen seen = {0};

    cr_assert_eq(ftruncate(fd, (off_t)begins[FILES] - 1), 0);
    cr_assert_eq(journal_reader_each(fd, 0, UINT64_MAX, see, &seen, &extent), ERR_OK);
    cr_assert_eq(seen.count, FILES - 1);
    cr_assert_eq(extent.end, begins[FILES - 1]);
    cr_assert_eq(extent.damaged, 0);
}

READER_TEST(takes_a_last_line_without_its_end_for_not_there_however_long_it_is)
{
    static char garbage[10 * JOURNAL_RECORD_LINE_MAX];
    struct journal_extent extent;
    struct seen seen = {0};

    memset(garbage, 'g', sizeof garbage);
    cr_assert_eq(write(fd, garbage, sizeof garbage), (ssize_t)sizeof garbage);
    cr_assert_eq(journal_reader_each(fd, 0, UINT64_MAX, see, &seen, &extent), ERR_OK);
    cr_assert_eq(seen.count, FILES);
    cr_assert_eq(extent.end, begins[FILES]);
    cr_assert_eq(extent.damaged, 0);
}

READER_TEST(skips_damaged_lines_counts_them_and_says_where_the_first_stands)
{
    struct journal_extent extent;
    struct seen seen = {0};

    damage(2);
    damage(4);
    cr_assert_eq(journal_reader_each(fd, 0, UINT64_MAX, see, &seen, &extent), ERR_OK);
    cr_assert_eq(seen.count, 2);
    cr_assert_eq(seen.ids[0], 1);
    cr_assert_eq(seen.ids[1], 3);
    cr_assert_eq(extent.damaged, 2);
    cr_assert_eq(extent.first_damaged_offset, begins[1]);
    cr_assert_eq(extent.end, begins[FILES]);
}

READER_TEST(ends_at_the_first_record_that_its_caller_cannot_take)
{
    struct journal_extent extent;
    struct seen seen = {.refused_id = 3};

    damage(2);
    damage(4);
    cr_assert_eq(journal_reader_each(fd, 0, UINT64_MAX, see, &seen, &extent), ERR_NO_SPACE);
    cr_assert_eq(seen.count, 2);
    cr_assert_eq(extent.damaged, 1);
    cr_assert_eq(extent.end, begins[3]);
}

READER_TEST(gives_nothing_of_what_cannot_be_read)
{
    struct journal_extent extent;
    struct seen seen = {0};

    close(fd);
    cr_assert_eq(journal_reader_each(fd, 0, UINT64_MAX, see, &seen, &extent),
                 err_from_errno(EBADF));
    cr_assert_eq(seen.count, 0);
    cr_assert_eq(extent.end, 0);
    fd = -1;
}

/* Our own memory as a file: the journal and `more` bytes of an incomplete line, followed by an
 * unmapped page, which gives EIO. Returns the offset of the journal. */
static uint64_t journal_before_an_unreadable_place(size_t more)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), length = begins[FILES] + more;
    size_t room = (length + page - 1) / page * page;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    char *pages = mmap(NULL, room + page, PROT_READ | PROT_WRITE, flags, -1, 0);
    char *at = pages + room - length;

    cr_assert(pages != MAP_FAILED);
    memcpy(at, bytes, begins[FILES]);
    memset(at + begins[FILES], 'g', more);
    cr_assert_eq(munmap(pages + room, page), 0);
    close(fd);
    fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    for (unsigned i = 0; i <= FILES; i++)
        begins[i] += (uintptr_t)at;
    return (uintptr_t)at;
}

static void expect_all_and_then_the_error(size_t more)
{
    uint64_t from = journal_before_an_unreadable_place(more);
    struct journal_extent extent;
    struct seen seen = {0};

    cr_assert_eq(journal_reader_each(fd, from, UINT64_MAX, see, &seen, &extent), ERR_IO);
    cr_assert_eq(seen.count, FILES);
    cr_assert_eq(extent.end, begins[FILES]);
    cr_assert_eq(extent.damaged, 0);
}

READER_TEST(gives_what_stands_before_a_place_that_cannot_be_read_and_then_the_error)
{
    expect_all_and_then_the_error(1);
}

READER_TEST(says_where_the_last_whole_line_ends_though_what_follows_was_too_long_to_hold)
{
    expect_all_and_then_the_error(10 * JOURNAL_RECORD_LINE_MAX);
}
