#include "cli/format.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const int64_t now_us = INT64_C(1763694855) * 1000000; /* 2025-11-21T03:14:15Z */

static int64_t since(const char *text)
{
    int64_t us = -1;

    cr_assert_eq(cli_since(&us, text, now_us), ERR_OK, "%s", text);
    return us;
}

Test(cli_text, since_takes_durations, .timeout = 5)
{
    cr_assert_eq(since("90s"), now_us - INT64_C(90000000));
    cr_assert_eq(since("15m"), now_us - INT64_C(900000000));
    cr_assert_eq(since("1h"), now_us - INT64_C(3600000000));
    cr_assert_eq(since("2d"), now_us - INT64_C(172800000000));
    cr_assert_eq(since("2147483647d"), 0);
}

Test(cli_text, since_takes_utc_times, .timeout = 5)
{
    cr_assert_eq(since("2025-11-21T03:14:15"), now_us);
    cr_assert_eq(since("2025-11-21T03:14:15Z"), now_us);
    cr_assert_eq(since("2025-11-21T03:14"), now_us - INT64_C(15000000));
    cr_assert_eq(since("2025-11-21"), now_us - INT64_C(11655000000));
}

Test(cli_text, since_rejects_anything_else, .timeout = 5)
{
    static const char *const bad[] = {"",
                                      "h",
                                      "1",
                                      "1x",
                                      "-1h",
                                      "1.5h",
                                      "01h",
                                      "1 h",
                                      "now",
                                      "2025-13-01",
                                      "2025-11-21 x",
                                      "1960-01-01",
                                      "99999999999999999999h"};
    int64_t us;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(cli_since(&us, bad[i], now_us), ERR_INVALID, "%s", bad[i]);
}

Test(cli_text, durations_are_short, .timeout = 5)
{
    char out[CLI_DURATION_SIZE];

    cr_assert_str_eq(cli_duration(out, 0.4), "0 s");
    cr_assert_str_eq(cli_duration(out, 59.4), "59 s");
    cr_assert_str_eq(cli_duration(out, 185), "3:05");
    cr_assert_str_eq(cli_duration(out, 3723), "1:02:03");
    cr_assert_str_eq(cli_duration(out, -1), "0 s");
    cr_assert_str_eq(cli_duration(out, 1e300), "0 s");
}

Test(cli_text, since_rejects_invalid_dates_and_times, .timeout = 5)
{
    static const struct {
        const char *text;
        bool is_valid;
    } rows[] = {
        {"2026-02-28", true},
        {"2026-02-29", false},
        {"2024-02-29", true},
        {"2026-02-30", false},
        {"2100-02-29", false},
        {"2000-02-29", true},
        {"2026-04-31", false},
        {"2026-00-10", false},
        {"2026-13-01", false},
        {"2026-01-00", false},
        {"2026-01-32", false},
        {"2026-12-31T23:59:59", true},
        {"2026-12-31T24:00:00", false},
        {"2026-12-31T23:60", false},
        {"2026-12-31T23:59:60", false},
        {"2026-12-31T23:59:61", false},
        {"2026-1-1", false},
        {" 2026-01-01", false},
        {"2026-01- 1", false},
        {"+2026-01-01", false},
        {"2026-01-01T", false},
        {"2026-01-01T1:02", false},
        {"2026-01-01Z", true},
        {"2026-01-01ZZ", false},
        {"2026-01-01 10:00", false},
        {"2026-01-01T10:00:00+01:00", false},
        {"1970-01-01", true},
        {"1969-12-31", false},
        {"0000-01-01", false},
        {"9999-12-31", true},
        {"20260101", false},
        {"12026-01-01", false},
    };
    int64_t us;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_eq(cli_since(&us, rows[i].text, now_us), rows[i].is_valid ? ERR_OK : ERR_INVALID,
                     "%s", rows[i].text);
}

static const struct cli_progress half = {.done_bytes = 50 << 20,
                                         .total_bytes = 100 << 20,
                                         .done_files = 1,
                                         .total_files = 3,
                                         .bytes_per_second = 10 << 20};

/* Fields are added in order of importance: percent, time left, bar, ... */
Test(cli_text, the_progress_line_at_each_width, .timeout = 5)
{
    static const struct {
        unsigned columns;
        const char *line;
    } rows[] = {
        {0, ""},
        {3, ""},
        {4, " 50%"},
        {10, " 50%"},
        {19, " 50%"},
        {20, " 50%  5 s left"},
        {33, " 50%  5 s left"},
        {34, "[#####.....]   50%  5 s left"},
        {39, "[#######........]   50%  5 s left"},
        {40, "[########........]   50%  5 s left"},
        {47, "[###########............]   50%  5 s left"},
        {48, "[#####.....]   50%  10.0 MiB/s  5 s left"},
        {58, "[##########..........]   50%  10.0 MiB/s  5 s left"},
        {59, "[#####.....]   50%  10.0 MiB/s  5 s left  1/3 files"},
        {79, "[###############...............]   50%  10.0 MiB/s  5 s left  1/3 files"},
        {84, "[#####.....]   50%  50.0 MiB of 100.0 MiB  10.0 MiB/s  5 s left  1/3 files"},
        {200, "[###############...............]   50%  50.0 MiB of 100.0 MiB  10.0 MiB/s  5 s "
              "left  1/3 files"},
    };
    char line[256];

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cli_progress_line(line, sizeof line, rows[i].columns, &half);
        cr_assert_str_eq(line, rows[i].line, "at %u columns: %s", rows[i].columns, line);
    }
    for (unsigned columns = 0; columns < 300; columns++) {
        cli_progress_line(line, sizeof line, columns, &half);
        cr_assert_leq(strlen(line), columns);
    }
}

/* The choice of fields does not depend on the current numbers. */
Test(cli_text, fields_of_the_progress_line_do_not_flicker, .timeout = 5)
{
    static const double speeds[] = {0, 1, 999, 10240, 1047527424.0};
    char line[256];

    for (size_t i = 0; i < sizeof speeds / sizeof *speeds; i++)
        for (unsigned columns = 48; columns < 120; columns++) {
            struct cli_progress p = half;

            p.bytes_per_second = speeds[i];
            cli_progress_line(line, sizeof line, columns, &p);
            cr_assert_not_null(strstr(line, "/s"), "%u columns, %f: %s", columns, speeds[i], line);
            cr_assert_leq(strlen(line), columns);
        }
}

Test(cli_text, after_the_last_byte_the_progress_line_waits_for_ok, .timeout = 5)
{
    struct cli_progress p = half;
    char line[256];

    p.done_bytes = p.total_bytes;
    p.is_waiting = true;
    cli_progress_line(line, sizeof line, 40, &p);
    cr_assert_str_eq(line, "[################]  100%  waiting for ok");
    cli_progress_line(line, sizeof line, 20, &p);
    cr_assert_str_eq(line, "100%  waiting for ok");
}

Test(cli_text, progress_of_zero_and_excess_bytes_is_clamped, .timeout = 5)
{
    char line[256];

    cli_progress_line(line, sizeof line, 80, &(struct cli_progress){.total_files = 1});
    cr_assert_not_null(strstr(line, "  0%"), "%s", line);
    cli_progress_line(line, sizeof line, 80,
                      &(struct cli_progress){.done_files = 1, .total_files = 1});
    cr_assert_not_null(strstr(line, "100%"), "%s", line);
    cli_progress_line(line, sizeof line, 80,
                      &(struct cli_progress){.done_bytes = 9, .total_bytes = 5, .total_files = 1});
    cr_assert_not_null(strstr(line, "100%"), "%s", line);
}

Test(cli_text, tables_are_aligned_in_columns, .timeout = 5)
{
    static const char *const headers[] = {">N", "NAME", "LAST"};
    struct cli_table table;
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    cli_table_init(&table, headers, 3);
    cli_table_add(&table, "%d", 5);
    cli_table_add(&table, "\xc3\xa4\xc3\xb6");
    cli_table_add(&table, "x");
    cli_table_add(&table, "%d", 1000);
    cli_table_add(&table, "longer");
    cli_table_add(&table, "%s", "");
    cli_table_print(&table, out, false);
    fclose(out);
    cr_assert_str_eq(text, "   N  NAME    LAST\n"
                           "   5  \xc3\xa4\xc3\xb6      x\n"
                           "1000  longer  \n");
    free(text);
    out = open_memstream(&text, &length);
    cli_table_add(&table, "%d", 7);
    cli_table_add(&table, "a\nb");
    cli_table_add(&table, "x");
    cli_table_print(&table, out, true);
    fclose(out);
    cr_assert_not_null(strstr(text, "   7  a%0Ab   x\n"), "%s", text);
    cli_table_fini(&table);
    free(text);
}
