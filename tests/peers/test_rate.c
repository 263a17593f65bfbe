#include "peers/rate.h"

#include <criterion/criterion.h>

#define S 1000000u

TestSuite(rate, .timeout = 5);

Test(rate, allows_a_burst_when_idle)
{
    struct peers_rate r = {0};

    cr_expect_eq(peers_rate_allowance(&r, 10, 5, 100 * S), 5u);
    peers_rate_take(&r, 10, 5, 5, 100 * S);
    cr_expect_eq(peers_rate_allowance(&r, 10, 5, 100 * S), 0u);
}

Test(rate, refills_with_time)
{
    struct peers_rate r = {0};

    peers_rate_take(&r, 10, 5, 5, 100 * S);
    cr_expect_eq(peers_rate_allowance(&r, 10, 5, 100 * S + S / 10), 1u);
    cr_expect_eq(peers_rate_allowance(&r, 10, 5, 100 * S + S / 2), 5u);
    cr_expect_eq(peers_rate_allowance(&r, 10, 5, 200 * S), 5u, "a long idle time gives one burst");
}

Test(rate, a_debt_delays_the_next_allowance)
{
    struct peers_rate r = {0};

    peers_rate_take(&r, 1000, 100, 5000, 100 * S); /* 4,900 beyond what was allowed */
    cr_expect_eq(peers_rate_allowance(&r, 1000, 100, 104 * S), 0u);
    cr_expect_eq(peers_rate_allowance(&r, 1000, 100, 105 * S), 100u);
}

Test(rate, is_kept_over_time_for_any_step)
{
    static const uint64_t rates[] = {1, 3, 7, 1000, 98304, 1 << 20, 1000000000};

    for (unsigned i = 0; i < sizeof rates / sizeof *rates; i++) {
        struct peers_rate r = {0};
        uint64_t taken = 0, burst = rates[i] < 8 ? 1 : rates[i] / 8;

        for (uint64_t us = 100 * S; us < 110 * S; us += 997) {
            uint64_t amount = peers_rate_allowance(&r, rates[i], burst, us);

            if (amount > 0)
                peers_rate_take(&r, rates[i], burst, amount, us);
            taken += amount;
        }
        cr_expect_leq(taken, rates[i] * 10 + burst + 1, "%lu a second", (unsigned long)rates[i]);
        cr_expect_geq(taken, rates[i] * 10 * 95 / 100, "%lu a second: %lu", (unsigned long)rates[i],
                      (unsigned long)taken);
    }
}

Test(rate, a_burst_of_one_is_allowed_at_every_rate)
{
    for (uint64_t per_s = 1; per_s < 2000; per_s++) {
        struct peers_rate r = {0};

        cr_expect_eq(peers_rate_allowance(&r, per_s, 1, 100 * S), 1u, "%lu", (unsigned long)per_s);
    }
}

Test(rate, the_largest_amounts_fit)
{
    struct peers_rate r = {0};

    peers_rate_take(&r, 1, PEERS_RATE_AMOUNT_MAX, PEERS_RATE_AMOUNT_MAX, 5000000000 * (uint64_t)S);
    cr_expect_eq(peers_rate_allowance(&r, 1, PEERS_RATE_AMOUNT_MAX, 5000000010 * (uint64_t)S), 10u);
}

Test(rate, works_from_clock_zero)
{
    struct peers_rate r = {0};

    cr_expect_eq(peers_rate_allowance(&r, 10, 5, 0), 0u);
    cr_expect_eq(peers_rate_allowance(&r, 10, 5, S / 10), 1u);
}
