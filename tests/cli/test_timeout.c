#include "cli/timeout.h"

#include <criterion/criterion.h>

enum { CHECKS = 8 };

/* Limits: 10 s without a byte, 30 s in total. */
Test(cli_timeout, counts_only_running_time, .timeout = 5)
{
    static const struct {
        const char *name;
        struct {
            uint64_t gap_ms; /* since the previous check */
            unsigned times;
            uint64_t bytes;
        } checks[CHECKS];
        bool is_done, was_paused;
    } rows[] = {
        {"immediately", {{0, 1, 0}}, false, false},
        {"just before the limit", {{1000, 9, 0}, {999, 1, 0}}, false, false},
        {"idle for the limit", {{1000, 10, 0}}, true, false},
        {"frequent checks", {{10, 999, 0}}, false, false},
        {"frequent checks, expired", {{10, 1000, 0}}, true, false},
        {"a pause of 190 s", {{1000, 1, 0}, {190000, 1, 0}}, false, true},
        {"a suspend of a week", {{604800000, 1, 0}}, false, true},
        {"a pause, then idle", {{190000, 1, 0}, {1000, 10, 0}}, true, true},
        {"a pause late in the wait", {{1000, 9, 0}, {190000, 1, 0}, {500, 1, 0}}, false, true},
        {"many pauses", {{5000, 100, 0}}, false, true},
        {"a late check is not a pause", {{2500, 3, 0}}, false, false},
        {"late checks count", {{2500, 4, 0}}, true, false},
        {"bytes restart the idle limit", {{1000, 9, 0}, {1000, 1, 5}, {1000, 9, 5}}, false, false},
        {"bytes, then idle", {{1000, 9, 0}, {1000, 1, 5}, {1000, 10, 5}}, true, false},
        {"slow bytes reach the total limit",
         {{1000, 9, 1}, {1000, 9, 2}, {1000, 9, 3}, {1000, 9, 4}},
         true,
         false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cli_timeout p;
        uint64_t now_ms = 1000000;
        bool is_done = false;

        cli_timeout_start(&p, 10000, 30000, now_ms);
        for (unsigned check = 0; check < CHECKS; check++)
            for (unsigned n = 0; n < rows[i].checks[check].times; n++) {
                now_ms += rows[i].checks[check].gap_ms;
                is_done = cli_timeout_is_expired(&p, now_ms, rows[i].checks[check].bytes);
            }
        cr_assert_eq(is_done, rows[i].is_done, "%s", rows[i].name);
        cr_assert_eq(p.was_paused, rows[i].was_paused, "%s", rows[i].name);
    }
}

Test(cli_timeout, a_clock_step_backwards_counts_as_zero, .timeout = 5)
{
    struct cli_timeout p;

    cli_timeout_start(&p, 10, 10, 1000);
    cr_assert_not(cli_timeout_is_expired(&p, 0, 0));
    cr_assert_not(cli_timeout_is_expired(&p, 9, 0));
    cr_assert(cli_timeout_is_expired(&p, 10, 0));
}
