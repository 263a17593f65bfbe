/* What a start recovers from a redo log of release 0.1, intact or damaged at any position. */
#include "store/inbox/state.h"
#include "store/journal/record.h"
#include "store/store_support.h"

#include <criterion/criterion.h>
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { HALF = 512 * 1024, ALIGN = 4096, HEADER = 72, FILES = 3 };

static char log_bytes[2 * HALF];

static void put32(char *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof value);
}

static void name_of(char name[STORE_NAME_SIZE], uint32_t id)
{
    snprintf(name, STORE_NAME_SIZE, "20261121T031415Z-%016x.in", id);
}

static size_t put_entry(char *at, const struct journal_record *record, const char *data,
                        size_t length)
{
    size_t line = journal_record_write(at + 16, record, JOURNAL_VERSION_UNSETTLED);

    put32(at, (uint32_t)line);
    put32(at + 4, (uint32_t)length);
    put32(at + 8, 0600);
    put32(at + 12, UINT32_MAX);
    memcpy(at + 16 + line, data, length);
    return 16 + line + length;
}

static void put_half_header(char *half, uint32_t epoch)
{
    memcpy(half, "dwhalf1\n", 8);
    put32(half + 8, epoch);
    put32(half + 16, (uint32_t)crc32(0, (const Bytef *)half, 16));
}

static void seal(char *block, size_t length, uint32_t epoch, uint32_t sequence)
{
    put32(block + 4, (uint32_t)(length - HEADER));
    memcpy(block + 8, "dwredo1\n", 8);
    put32(block + 16, epoch);
    put32(block + 24, sequence);
    memcpy(block + 32, "before the power cut", 20);
    put32(block, (uint32_t)crc32(0, (const Bytef *)block + 4, (uInt)(length - 4)));
}

static char *block_of(uint32_t id)
{
    return log_bytes + (size_t)ALIGN * id;
}

/* A block with one file each, ids 1 to 3, "hello" in each. */
static void make_log(void)
{
    memset(log_bytes, 0, sizeof log_bytes);
    put_half_header(log_bytes, 7);
    put_half_header(log_bytes + HALF, 8);
    for (uint32_t id = 1; id <= FILES; id++) {
        struct journal_record record = {.kind = JOURNAL_RECORD_FILE,
                                        .file = {.transfer_id = id,
                                                 .size_bytes = 5,
                                                 .committed_us = 1,
                                                 .proto = "tcp",
                                                 .idurl = "http://a.example/"}};

        name_of(record.file.name, id);
        seal(block_of(id), HEADER + put_entry(block_of(id) + HEADER, &record, "hello", 5), 7,
             id - 1);
    }
}

static void flip(size_t at)
{
    log_bytes[at] ^= 1;
}

static void whole(void)
{
}

static void first_header(void)
{
    flip(3);
}

static void header_crc(void)
{
    flip(16);
}

static void second_half_header(void)
{
    flip(HALF + 3);
}

static void first_block(void)
{
    flip(ALIGN + HEADER + 30);
}

static void second_block(void)
{
    flip((size_t)2 * ALIGN + HEADER + 30);
}

static void last_data(void)
{
    memset(block_of(3) + 200, 'x', 1); /* inside the block's length, or after it */
    flip((size_t)3 * ALIGN + 1);
}

static void length_too_large(void)
{
    put32(block_of(2) + 4, UINT32_MAX);
}

static void length_to_the_end(void)
{
    put32(block_of(2) + 4, 256 * 1024 - HEADER);
}

static size_t length_of(const char *block)
{
    uint32_t value;

    memcpy(&value, block + 4, sizeof value);
    return HEADER + le32toh(value);
}

static void sequence_again(void)
{
    seal(block_of(2), length_of(block_of(2)), 7, 0);
}

static void other_epoch(void)
{
    seal(block_of(3), length_of(block_of(3)), 6, 2);
}

static void line_too_long(void)
{
    put32(block_of(2) + HEADER, UINT32_MAX);
    seal(block_of(2), length_of(block_of(2)), 7, 1);
}

static void no_line(void)
{
    put32(block_of(2) + HEADER, 0);
    seal(block_of(2), length_of(block_of(2)), 7, 1);
}

static void data_too_long(void)
{
    put32(block_of(2) + HEADER + 4, UINT32_MAX - 8);
    seal(block_of(2), length_of(block_of(2)), 7, 1);
}

static void data_of_another_size(void)
{
    put32(block_of(2) + HEADER + 4, 4);
    seal(block_of(2), length_of(block_of(2)), 7, 1);
}

static void boot_without_end(void)
{
    memset(block_of(2) + 32, 'b', 40);
    put32(block_of(2),
          (uint32_t)crc32(0, (const Bytef *)block_of(2) + 4, (uInt)(length_of(block_of(2)) - 4)));
}

static void all_ones(void)
{
    memset(log_bytes, 0xff, sizeof log_bytes);
}

static const struct log_row {
    const char *name;
    void (*damage)(void);
    size_t bytes; /* size of the log on disk */
    bool back[FILES];
} rows[] = {
    {"intact", whole, sizeof log_bytes, {true, true, true}},
    {"the first half's header", first_header, sizeof log_bytes, {false, false, false}},
    {"the header's CRC", header_crc, sizeof log_bytes, {false, false, false}},
    {"the second half's header", second_half_header, sizeof log_bytes, {true, true, true}},
    {"a byte of the first block", first_block, sizeof log_bytes, {false, false, false}},
    {"a byte of the second block", second_block, sizeof log_bytes, {true, false, false}},
    {"the last block's CRC", last_data, sizeof log_bytes, {true, true, false}},
    {"a length beyond any block", length_too_large, sizeof log_bytes, {true, false, false}},
    {"the longest length", length_to_the_end, sizeof log_bytes, {true, false, false}},
    {"a sequence twice", sequence_again, sizeof log_bytes, {true, false, false}},
    {"a block of an earlier epoch", other_epoch, sizeof log_bytes, {true, true, false}},
    {"a line longer than its block", line_too_long, sizeof log_bytes, {true, false, true}},
    {"an empty line", no_line, sizeof log_bytes, {true, false, true}},
    {"data longer than its block", data_too_long, sizeof log_bytes, {true, false, true}},
    {"data of another size", data_of_another_size, sizeof log_bytes, {true, false, true}},
    {"a boot id without an end", boot_without_end, sizeof log_bytes, {true, false, false}},
    {"nothing but ones", all_ones, sizeof log_bytes, {false, false, false}},
    {"empty", whole, 0, {false, false, false}},
    {"a header cut off", whole, 10, {false, false, false}},
    {"halves of no block", whole, 40, {false, false, false}},
};

static void write_log(size_t bytes)
{
    int fd = openat(inbox->partial_fd, "redo", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    cr_assert_eq(write(fd, log_bytes, bytes), (ssize_t)bytes);
    close(fd);
}

static void run_row(const struct log_row *row)
{
    char name[STORE_NAME_SIZE];

    make_scratch();
    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    make_log();
    row->damage();
    write_log(row->bytes);
    reopen_inbox(DURABILITY_FULL);
    for (uint32_t id = 1; id <= FILES; id++) {
        name_of(name, id);
        cr_assert_eq(is_in_inbox(name, "hello", 5), row->back[id - 1], "%s: file %u", row->name,
                     (unsigned)id);
    }
    cr_assert_neq(faccessat(inbox->partial_fd, "redo", F_OK, 0), 0, "%s", row->name);
    commit_file(100, "after");
    remove_scratch();
}

Test(upgrade_redo, recovers_exactly_the_readable_part_of_a_log, .timeout = 60)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        run_row(&rows[i]);
}

Test(upgrade_redo, a_folder_of_its_name_is_refused_with_a_message, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    char problem[512];

    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    cr_assert_eq(mkdirat(inbox->partial_fd, "redo", 0700), 0);
    inbox_close(&inbox);
    cr_assert_eq(
        inbox_open(&inbox, inbox_path, DURABILITY_FULL, LIMIT_BYTES, problem, sizeof problem),
        ERR_NOT_REGULAR);
    cr_assert_not_null(strstr(problem, "redo is not a regular file"), "%s", problem);
}
