#include "store/journal/record.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

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

Test(journal_record, a_record_is_read_as_it_was_written, .timeout = 5)
{
    static char line[JOURNAL_RECORD_LINE_MAX];
    struct journal_record record = file_record(99999999), back;
    size_t length;

    cr_assert_eq(address_from_ip_text(&record.file.peer, "fe80::1", 7771), ERR_OK);
    record.file.peer.scope = 3;
    record.file.proto = "x-udp+1.abcdefg"; /* the maximum length */
    record.file.idurl = " a\tb\n%\xff";
    length = journal_record_write(line, &record, JOURNAL_VERSION);
    cr_assert_eq(line[length - 1], '\n');
    cr_assert(journal_record_read(&back, line, length - 1));
    cr_assert_eq(back.kind, JOURNAL_RECORD_FILE);
    cr_assert_eq(back.file.transfer_id, 99999999);
    cr_assert_eq(back.file.started_us, -5);
    cr_assert_eq(back.file.committed_us, 1795232999206714);
    cr_assert_eq(back.file.size_bytes, 1024);
    cr_assert(address_is_equal(&back.file.peer, &record.file.peer));
    cr_assert_str_eq(back.file.name, record.file.name);
    cr_assert_str_eq(back.file.proto, record.file.proto);
    cr_assert_str_eq(back.file.idurl, record.file.idurl);
}

Test(journal_record, an_idurl_too_long_for_a_line_is_truncated_not_lost, .timeout = 5)
{
    static char line[JOURNAL_RECORD_LINE_MAX], idurl[200000];
    struct journal_record record = file_record(1), back;
    size_t length;

    memset(idurl, '\xff', sizeof idurl - 1);
    record.file.idurl = idurl;
    length = journal_record_write(line, &record, JOURNAL_VERSION);
    cr_assert_leq(length, JOURNAL_RECORD_LINE_MAX);
    cr_assert(journal_record_read(&back, line, length - 1));
    cr_assert_gt(strlen(back.file.idurl), 10000);
}

Test(journal_record, any_changed_byte_of_a_line_is_detected, .timeout = 10)
{
    static char line[JOURNAL_RECORD_LINE_MAX], copy[JOURNAL_RECORD_LINE_MAX];
    struct journal_record record = file_record(12345678), back;
    size_t length = journal_record_write(line, &record, JOURNAL_VERSION) - 1;

    for (size_t i = 0; i < length; i++)
        for (int bit = 0; bit < 8; bit++) {
            memcpy(copy, line, length);
            copy[i] = (char)(copy[i] ^ (1 << bit));
            cr_assert_not(journal_record_read(&back, copy, length));
        }
    for (size_t shorter = 0; shorter < length; shorter++) {
        memcpy(copy, line, length);
        cr_assert_not(journal_record_read(&back, copy, shorter));
    }
}

/* Records of older daemons are read with their meaning: there was one transport. */
Test(journal_record, an_older_version_has_no_proto_and_is_read_as_tcp, .timeout = 5)
{
    static char line[JOURNAL_RECORD_LINE_MAX];
    struct journal_record record = file_record(7), back;
    size_t now = journal_record_write(line, &record, JOURNAL_VERSION);

    for (uint32_t version = JOURNAL_VERSION_UNSETTLED; version < JOURNAL_VERSION; version++) {
        size_t length = journal_record_write(line, &record, version);

        cr_assert_eq(length + strlen("\ttcp"), now);
        cr_assert(journal_record_read(&back, line, length - 1));
        cr_assert_str_eq(back.file.proto, "tcp");
        cr_assert_str_eq(back.file.idurl, record.file.idurl);
    }
}

/* Lines with a valid CRC, whatever their content. */
static bool read_fields(struct journal_record *out, const char *fields)
{
    static char line[JOURNAL_RECORD_LINE_MAX];
    unsigned crc = (unsigned)crc32(0, (const Bytef *)fields, (uInt)strlen(fields));
    int length = snprintf(line, sizeof line, "%s\t%08x", fields, crc);

    return journal_record_read(out, line, (size_t)length);
}

#define FILE_FIELDS "F\t7\t192.0.2.7\t7771\t0\t5\t1\t2\t20261121T031415Z-0123456789abcdef.in"

Test(journal_record, accepts_an_unknown_proto_but_no_invalid_one, .timeout = 5)
{
    static const struct {
        const char *fields, *proto; /* NULL: damaged */
    } lines[] = {
        {FILE_FIELDS "\t9\ttcp\ta", "tcp"},
        {FILE_FIELDS "\t9\tudp\ta", "udp"},
        {FILE_FIELDS "\t9\tquic+v2.draft-1\ta", "quic+v2.draft-1"},
        {FILE_FIELDS "\t9\tt\t", "t"},
        {FILE_FIELDS "\t9\ta", "tcp"}, /* version 2 */
        {FILE_FIELDS "\ta", "tcp"},    /* version 1 before 0.1 */
        {FILE_FIELDS, NULL},
        {FILE_FIELDS "\t9\t\ta", NULL},
        {FILE_FIELDS "\t9\tquic+v2.draft-10\ta", NULL}, /* one character too long */
        {FILE_FIELDS "\t9\tTCP\ta", NULL},
        {FILE_FIELDS "\t9\tt cp\ta", NULL},
        {FILE_FIELDS "\t9\ttcp%20\ta", NULL},
        {FILE_FIELDS "\t9\t6tcp\ta", NULL},
        {FILE_FIELDS "\t9\t-\ta", NULL},
        {FILE_FIELDS "\t9\ttcp\xc3\xa9\ta", NULL},
        {FILE_FIELDS "\t9\ttcp\ta\tb", NULL},
        {FILE_FIELDS "\ttcp\t9\ta", NULL}, /* wrong order */
    };
    struct journal_record record;

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        bool is_read = read_fields(&record, lines[i].fields);

        cr_expect_eq(is_read, lines[i].proto != NULL, "%s", lines[i].fields);
        if (is_read && lines[i].proto != NULL)
            cr_expect_str_eq(record.file.proto, lines[i].proto, "%s", lines[i].fields);
    }
}

Test(journal_record, a_proto_longer_than_a_line_is_damaged, .timeout = 5)
{
    static char fields[JOURNAL_RECORD_LINE_MAX - 100];
    struct journal_record record;
    int length = snprintf(fields, sizeof fields, FILE_FIELDS "\t9\t");

    memset(fields + length, 'a', sizeof fields - (size_t)length - 3);
    memcpy(fields + sizeof fields - 3, "\ta", 3);
    cr_assert_not(read_fields(&record, fields));
}
