#include "tools/cli_text.h"

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

Test(cli_text, since_refuses_anything_else, .timeout = 5)
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
    char out[CLI_DURATION_ROOM];

    cr_assert_str_eq(cli_duration(out, 0.4), "0 s");
    cr_assert_str_eq(cli_duration(out, 59.4), "59 s");
    cr_assert_str_eq(cli_duration(out, 185), "3:05");
    cr_assert_str_eq(cli_duration(out, 3723), "1:02:03");
    cr_assert_str_eq(cli_duration(out, -1), "0 s");
    cr_assert_str_eq(cli_duration(out, 1e300), "0 s");
}

Test(cli_text, the_progress_line_fits_and_tells_all, .timeout = 5)
{
    const struct cli_progress half = {.done_bytes = 50 << 20,
                                      .total_bytes = 100 << 20,
                                      .done_files = 1,
                                      .total_files = 3,
                                      .bytes_per_second = 10 << 20};
    char line[256];

    cli_progress_line(line, sizeof line, 200, &half);
    cr_assert_str_eq(line, "[###############...............]  50%  50.0 MiB of 100.0 MiB  "
                           "10.0 MiB/s  5 s left  1/3 files");
    for (unsigned columns = 1; columns < 200; columns++) {
        cli_progress_line(line, sizeof line, columns, &half);
        cr_assert_leq(strlen(line), columns);
    }
}

Test(cli_text, progress_of_nothing_and_of_too_much_is_sane, .timeout = 5)
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

Test(cli_text, tables_stand_in_columns, .timeout = 5)
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
    cli_table_print(&table, out);
    fclose(out);
    cr_assert_str_eq(text, "   N  NAME    LAST\n"
                           "   5  \xc3\xa4\xc3\xb6      x\n"
                           "1000  longer  \n");
    cli_table_fini(&table);
    free(text);
}

static char *printed(char *out, size_t room, const char *text)
{
    FILE *file = fmemopen(out, room, "w");

    cr_assert_not_null(file);
    cli_print_one_line(file, text);
    fclose(file);
    return out;
}

Test(cli_text, a_name_stays_one_line_and_cannot_steer_the_terminal, .timeout = 5)
{
    char out[64];

    cr_assert_str_eq(printed(out, sizeof out, "a\nb\x1b[2J\x7f"), "a%0Ab%1B[2J%7F");
    cr_assert_str_eq(printed(out, sizeof out,
                             "\xc2\x9b"
                             "1m"),
                     "%C2%9B1m");
    cr_assert_str_eq(printed(out, sizeof out, "50% \xc3\xbc\xc3\x84 x"), "50% \xc3\xbc\xc3\x84 x");
}
