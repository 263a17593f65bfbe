#include "base/log_meter.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct log_meter m;
static unsigned suppressed;

TestSuite(log_meter, .timeout = 5);

static unsigned passed(const char *peer, uint64_t second, unsigned lines)
{
    unsigned count = 0;

    for (unsigned i = 0; i < lines; i++)
        count += log_meter_allows(&m, peer, second, 10, &suppressed);
    return count;
}

Test(log_meter, limits_the_lines_of_a_peer_per_second)
{
    cr_expect_eq(passed("192.0.2.1:4000", 7, 25), 10u);
    cr_expect_eq(passed("192.0.2.1:4000", 8, 5), 5u);
}

Test(log_meter, another_port_is_the_same_peer_and_another_address_is_not)
{
    passed("192.0.2.1:4000", 7, 10);
    cr_expect_eq(passed("192.0.2.1:4001", 7, 1), 0u);
    cr_expect_eq(passed("192.0.2.2:4000", 7, 1), 1u);
    cr_expect_eq(passed("[2001:db8::1]:4000", 7, 11), 10u);
    cr_expect_eq(passed("[2001:db8::1]:4001", 7, 1), 0u);
}

Test(log_meter, the_first_line_of_a_second_has_the_number_of_dropped_ones)
{
    passed("192.0.2.1:4000", 7, 25);
    cr_expect(log_meter_allows(&m, "192.0.2.1:4000", 9, 10, &suppressed));
    cr_expect_eq(suppressed, 15u);
    cr_expect(log_meter_allows(&m, "192.0.2.1:4000", 9, 10, &suppressed));
    cr_expect_eq(suppressed, 0u);
    cr_expect(log_meter_allows(&m, "192.0.2.1:4000", 10, 10, &suppressed));
    cr_expect_eq(suppressed, 0u);
}

Test(log_meter, limits_all_peers_together)
{
    unsigned lines = 0;
    char peer[32];

    for (unsigned i = 0; i < 100000; i++) {
        snprintf(peer, sizeof peer, "10.%u.%u.%u:1", i >> 16, (i >> 8) & 255, i & 255);
        lines += log_meter_allows(&m, peer, 7, 10, &suppressed);
    }
    cr_expect_leq(lines, 10u * LOG_METER_SLOTS);
}

Test(log_meter, limits_peers_without_a_port_too)
{
    cr_expect_eq(passed("-", 7, 11), 10u);
    cr_expect_eq(passed("", 7, 1), 1u);
}
