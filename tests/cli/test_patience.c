#include "cli/patience.h"

#include <criterion/criterion.h>

enum { LOOKS = 8 };

/* Limits: 10 s without a byte, 30 s as a whole. */
Test(cli_patience, only_the_time_that_we_ran_counts, .timeout = 5)
{
    static const struct {
        const char *name;
        struct {
            uint64_t gap_ms; /* since the look before */
            unsigned times;
            uint64_t bytes;
        } looks[LOOKS];
        bool is_over, was_paused;
    } rows[] = {
        {"at once", {{0, 1, 0}}, false, false},
        {"just before", {{1000, 9, 0}, {999, 1, 0}}, false, false},
        {"silent for the limit", {{1000, 10, 0}}, true, false},
        {"looked at often", {{10, 999, 0}}, false, false},
        {"looked at often, too long", {{10, 1000, 0}}, true, false},
        {"a stop of 190 s", {{1000, 1, 0}, {190000, 1, 0}}, false, true},
        {"a suspend of a week", {{604800000, 1, 0}}, false, true},
        {"a stop, then silence", {{190000, 1, 0}, {1000, 10, 0}}, true, true},
        {"a stop late in the wait", {{1000, 9, 0}, {190000, 1, 0}, {500, 1, 0}}, false, true},
        {"many stops", {{5000, 100, 0}}, false, true},
        {"a slow look is no stop", {{2500, 3, 0}}, false, false},
        {"slow looks use it up", {{2500, 4, 0}}, true, false},
        {"bytes begin it anew", {{1000, 9, 0}, {1000, 1, 5}, {1000, 9, 5}}, false, false},
        {"bytes, then silence", {{1000, 9, 0}, {1000, 1, 5}, {1000, 10, 5}}, true, false},
        {"dribbling", {{1000, 9, 1}, {1000, 9, 2}, {1000, 9, 3}, {1000, 9, 4}}, true, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cli_patience p;
        uint64_t now_ms = 1000000;
        bool is_over = false;

        cli_patience_start(&p, 10000, 30000, now_ms);
        for (unsigned look = 0; look < LOOKS; look++)
            for (unsigned n = 0; n < rows[i].looks[look].times; n++) {
                now_ms += rows[i].looks[look].gap_ms;
                is_over = cli_patience_is_over(&p, now_ms, rows[i].looks[look].bytes);
            }
        cr_assert_eq(is_over, rows[i].is_over, "%s", rows[i].name);
        cr_assert_eq(p.was_paused, rows[i].was_paused, "%s", rows[i].name);
    }
}

Test(cli_patience, a_clock_that_goes_back_is_no_time, .timeout = 5)
{
    struct cli_patience p;

    cli_patience_start(&p, 10, 10, 1000);
    cr_assert_not(cli_patience_is_over(&p, 0, 0));
    cr_assert_not(cli_patience_is_over(&p, 9, 0));
    cr_assert(cli_patience_is_over(&p, 10, 0));
}
