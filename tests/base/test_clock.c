#include "base/clock.h"

#include <criterion/criterion.h>

Test(clock, writes_utc_with_milliseconds, .timeout = 5)
{
    static const struct {
        int64_t us;
        const char *text;
    } table[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {999, "1970-01-01T00:00:00.000Z"},
        {1000, "1970-01-01T00:00:00.001Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {-1000000, "1969-12-31T23:59:59.000Z"},
        {951782399999999, "2000-02-28T23:59:59.999Z"},
        {951782400000000, "2000-02-29T00:00:00.000Z"},
        {1795230855926000, "2026-11-21T03:14:15.926Z"},
    };
    char out[CLOCK_TEXT_SIZE];

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        cr_assert_str_eq(clock_text(out, table[i].us), table[i].text);
}

Test(clock, handles_times_out_of_range, .timeout = 5)
{
    char out[CLOCK_TEXT_SIZE];

    cr_assert_not_null(clock_text(out, INT64_MAX));
    cr_assert_not_null(clock_text(out, INT64_MIN));
}

Test(clock, is_monotonic_in_both_units, .timeout = 5)
{
    uint64_t ms = clock_mono_ms(), us = clock_mono_us(), before = us;

    cr_assert_geq(us / 1000, ms);
    for (unsigned i = 0; i < 1000; i++) {
        us = clock_mono_us();
        cr_assert_geq(us, before);
        before = us;
    }
    cr_assert_gt(clock_real_us(), 1600000000000000, "it is after 2020");
}
