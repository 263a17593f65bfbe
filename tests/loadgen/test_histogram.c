#include "loadgen/histogram.h"

#include <criterion/criterion.h>

/* Static because it is large. */
static struct loadgen_histogram h;

static void empty(void)
{
    h = (struct loadgen_histogram){0};
}

static bool is_near(uint64_t reported, uint64_t value)
{
    return reported >= value && reported <= value + value / (1U << LOADGEN_HISTOGRAM_BITS) + 1;
}

Test(loadgen_histogram, an_empty_histogram_returns_zero, .init = empty, .timeout = 5)
{
    cr_assert_eq(loadgen_histogram_at(&h, 0.5), 0);
    cr_assert_eq(loadgen_histogram_at(&h, 1), 0);
    cr_assert_eq(loadgen_histogram_mean(&h), 0);
}

Test(loadgen_histogram, small_values_are_exact, .init = empty, .timeout = 5)
{
    for (uint64_t ns = 0; ns < 100; ns++)
        loadgen_histogram_add(&h, ns);
    cr_assert_eq(loadgen_histogram_at(&h, 0.5), 49);
    cr_assert_eq(loadgen_histogram_at(&h, 0.99), 98);
    cr_assert_eq(loadgen_histogram_at(&h, 1), 99);
    cr_assert_eq(loadgen_histogram_mean(&h), 49);
}

Test(loadgen_histogram, values_are_within_one_part_in_128, .init = empty, .timeout = 5)
{
    for (uint64_t ns = 1; ns < UINT64_C(1) << 41; ns = ns * 3 + 1) {
        empty();
        loadgen_histogram_add(&h, ns);
        loadgen_histogram_add(&h, UINT64_C(1) << 42);
        cr_assert(is_near(loadgen_histogram_at(&h, 0.5), ns), "%lu is reported as %lu", ns,
                  loadgen_histogram_at(&h, 0.5));
    }
}

Test(loadgen_histogram, the_largest_value_is_exact, .init = empty, .timeout = 5)
{
    loadgen_histogram_add(&h, 1);
    loadgen_histogram_add(&h, 123456789);
    cr_assert_eq(loadgen_histogram_at(&h, 1), 123456789);
    cr_assert_eq(loadgen_histogram_at(&h, 0.999), 123456789);
}

Test(loadgen_histogram, values_beyond_the_range_count_as_the_largest, .init = empty, .timeout = 5)
{
    loadgen_histogram_add(&h, UINT64_MAX);
    cr_assert_eq(h.count, 1);
    cr_assert_eq(loadgen_histogram_at(&h, 1), UINT64_MAX);
}

Test(loadgen_histogram, percentiles_match_those_of_the_sorted_values, .init = empty, .timeout = 5)
{
    for (uint64_t us = 1; us <= 1000; us++)
        loadgen_histogram_add(&h, us * 1000);
    cr_assert(is_near(loadgen_histogram_at(&h, 0.5), 500000));
    cr_assert(is_near(loadgen_histogram_at(&h, 0.9), 900000));
    cr_assert(is_near(loadgen_histogram_at(&h, 0.99), 990000));
    cr_assert(is_near(loadgen_histogram_at(&h, 0.999), 999000));
}

Test(loadgen_histogram, a_merge_equals_one_histogram_of_all_values, .init = empty, .timeout = 5)
{
    static struct loadgen_histogram odd, all;

    for (uint64_t i = 0; i < 1000; i++) {
        loadgen_histogram_add(i % 2 == 0 ? &h : &odd, i * i);
        loadgen_histogram_add(&all, i * i);
    }
    loadgen_histogram_merge(&h, &odd);
    cr_assert_eq(h.count, all.count);
    cr_assert_arr_eq(h.buckets, all.buckets, sizeof all.buckets);
    cr_assert_eq(h.largest_ns, all.largest_ns);
    cr_assert_eq(loadgen_histogram_mean(&h), loadgen_histogram_mean(&all));
}
