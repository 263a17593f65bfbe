#include "peers/source_table.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct peers_source_table *t;
static struct peers_source_limits limits;

static void open_table(void)
{
    cr_assert_eq(peers_source_table_open(&t), ERR_OK);
    limits = (struct peers_source_limits){.sessions = 100000,
                                          .per_address = 4,
                                          .per_network = 6,
                                          .half_open = 1000,
                                          .half_open_per_address = 3,
                                          .accepts_per_s = 10,
                                          .accepts_burst = 1000,
                                          .violations_allowed = 2,
                                          .penalty_s = 10,
                                          .penalty_longest_s = 60};
}

static void close_table(void)
{
    peers_source_table_close(&t);
}

TestSuite(peers_source_table, .init = open_table, .fini = close_table, .timeout = 10);

static uint64_t now_ms = 1000000;

static enum peers_admission enter(const char *ip, struct peers_source_place *place)
{
    struct address peer;
    struct peers_source_place other;

    cr_assert_eq(address_from_ip_text(&peer, ip, 1), ERR_OK);
    return peers_source_table_enter(t, &peer, &limits, now_ms, place == NULL ? &other : place);
}

/* Enters and completes the handshake. */
static enum peers_admission enter_whole(const char *ip)
{
    struct peers_source_place place;
    enum peers_admission a = enter(ip, &place);

    if (a == ADMITTED)
        peers_source_table_identified(t, &place);
    return a;
}

static uint64_t violate(const char *ip)
{
    struct address peer;

    cr_assert_eq(address_from_ip_text(&peer, ip, 1), ERR_OK);
    return peers_source_table_record_violation(t, &peer, &limits, now_ms);
}

Test(peers_source_table, an_address_has_its_own_limit)
{
    for (int i = 0; i < 4; i++)
        cr_expect_eq(enter_whole("192.0.2.1"), ADMITTED);
    cr_expect_eq(enter_whole("192.0.2.1"), ADMISSION_ADDRESS_FULL);
    cr_expect_eq(enter_whole("192.0.2.2"), ADMITTED);
}

Test(peers_source_table, a_network_has_its_own_limit)
{
    for (int i = 0; i < 6; i++) {
        char ip[32];

        snprintf(ip, sizeof ip, "192.0.2.%d", i);
        cr_expect_eq(enter_whole(ip), ADMITTED);
    }
    cr_expect_eq(enter_whole("192.0.2.200"), ADMISSION_NETWORK_FULL);
    cr_expect_eq(enter_whole("192.0.3.1"), ADMITTED, "the next /24");
}

Test(peers_source_table, a_network_of_ipv6_is_a_64)
{
    for (int i = 0; i < 6; i++) {
        char ip[64];

        snprintf(ip, sizeof ip, "2001:db8:0:1:%x::1", i + 1);
        cr_expect_eq(enter_whole(ip), ADMITTED);
    }
    cr_expect_eq(enter_whole("2001:db8:0:1:ffff::1"), ADMISSION_NETWORK_FULL);
    cr_expect_eq(enter_whole("2001:db8:0:2::1"), ADMITTED);
}

Test(peers_source_table, a_closed_session_frees_its_place)
{
    struct peers_source_place place;

    limits.per_address = 1;
    cr_assert_eq(enter("192.0.2.1", &place), ADMITTED);
    cr_expect_eq(enter("192.0.2.1", NULL), ADMISSION_ADDRESS_FULL);
    peers_source_table_leave(t, &place, true);
    cr_expect_eq(peers_source_table_half_open(t), 0u);
    cr_expect_eq(enter("192.0.2.1", NULL), ADMITTED);
}

Test(peers_source_table, unfinished_handshakes_are_bounded_for_an_address)
{
    struct peers_source_place first;

    cr_assert_eq(enter("192.0.2.1", &first), ADMITTED);
    enter("192.0.2.1", NULL);
    enter("192.0.2.1", NULL);
    cr_expect_eq(enter("192.0.2.1", NULL), ADMISSION_HALF_OPEN_ADDRESS_FULL);
    peers_source_table_identified(t, &first);
    cr_expect_eq(peers_source_table_half_open(t), 2u);
    cr_expect_eq(enter("192.0.2.1", NULL), ADMITTED);
}

Test(peers_source_table, addresses_of_one_ipv6_network_share_their_handshakes)
{
    for (int i = 0; i < 3; i++) {
        char ip[64];

        snprintf(ip, sizeof ip, "2001:db8::%x", i + 1);
        cr_expect_eq(enter(ip, NULL), ADMITTED);
    }
    cr_expect_eq(enter("2001:db8::ffff", NULL), ADMISSION_HALF_OPEN_ADDRESS_FULL);
}

Test(peers_source_table, unfinished_handshakes_are_bounded_in_all_for_exempt_ones_too)
{
    limits.half_open = 2;
    enter("192.0.2.1", NULL);
    enter("198.51.100.1", NULL);
    cr_expect_eq(enter("203.0.113.1", NULL), ADMISSION_HALF_OPEN_FULL);
    limits.is_exempt = true;
    cr_expect_eq(enter("203.0.113.1", NULL), ADMISSION_HALF_OPEN_FULL);
}

Test(peers_source_table, an_exempt_source_is_not_limited_and_not_counted)
{
    struct peers_source_place place;

    limits.is_exempt = true;
    for (int i = 0; i < 50; i++)
        cr_expect_eq(enter("127.0.0.1", &place), ADMITTED);
    for (int i = 0; i < 20; i++)
        cr_expect_eq(violate("127.0.0.1"), 0u);
    peers_source_table_leave(t, &place, true);
    cr_expect_eq(peers_source_table_half_open(t), 49u);
    cr_expect_eq(peers_source_table_count(t), 0u);
}

Test(peers_source_table, an_address_that_connects_too_often_is_refused)
{
    limits.accepts_burst = 2;
    cr_expect_eq(enter("192.0.2.1", NULL), ADMITTED);
    cr_expect_eq(enter("192.0.2.1", NULL), ADMITTED);
    cr_expect_eq(enter("192.0.2.1", NULL), ADMISSION_RATE);
    cr_expect_eq(enter("192.0.2.2", NULL), ADMITTED, "another address is not limited");
    now_ms += 100;
    cr_expect_eq(enter("192.0.2.1", NULL), ADMITTED);
}

Test(peers_source_table, penalties_grow_and_end)
{
    static const uint64_t seconds[] = {0, 0, 10, 20, 40, 60, 60};

    for (unsigned i = 0; i < sizeof seconds / sizeof *seconds; i++)
        cr_expect_eq(violate("192.0.2.1"), seconds[i] * 1000, "violation %u", i + 1);
    cr_expect_eq(enter("192.0.2.1", NULL), ADMISSION_PENALTY);
    cr_expect_eq(enter("192.0.2.2", NULL), ADMITTED);
    now_ms += 60001;
    cr_expect_eq(enter("192.0.2.1", NULL), ADMITTED);
}

Test(peers_source_table, a_violation_is_forgiven_after_each_minute_without_one)
{
    violate("192.0.2.1");
    violate("192.0.2.1");
    cr_assert_eq(violate("192.0.2.1"), 10000u);
    now_ms += 10000 + 60000; /* the penalty, and a minute */
    cr_expect_eq(violate("192.0.2.1"), 10000u, "two are left, this is the third");
    now_ms += 10000 + 3 * 60000;
    cr_expect_eq(violate("192.0.2.1"), 0u);
}

Test(peers_source_table, a_penalty_of_an_ipv6_address_covers_its_network)
{
    for (int i = 0; i < 3; i++)
        violate(i == 0 ? "2001:db8::1" : "2001:db8::2");
    cr_expect_eq(enter("2001:db8::3", NULL), ADMISSION_PENALTY);
}

Test(peers_source_table, violations_refuse_nothing_when_penalties_are_off)
{
    limits.penalty_s = 0;
    for (int i = 0; i < 20; i++)
        cr_expect_eq(violate("192.0.2.1"), 0u);
    cr_expect_eq(enter("192.0.2.1", NULL), ADMITTED);
}

static void enter_and_leave(unsigned i)
{
    struct peers_source_place place;
    char ip[64];

    snprintf(ip, sizeof ip, "%u.%u.%u.1", 11 + (i >> 16), (i >> 8) & 255, i & 255);
    cr_assert_eq(enter(ip, &place), ADMITTED);
    peers_source_table_leave(t, &place, true);
}

Test(peers_source_table, short_sessions_do_not_fill_the_table)
{
    struct peers_source_place mine;

    limits.sessions = 100;
    cr_assert_eq(enter("192.0.2.1", &mine), ADMITTED);
    for (int i = 0; i < 3; i++)
        violate("198.51.100.1");
    for (unsigned i = 0; i < 100000; i++)
        enter_and_leave(i);
    cr_expect_leq(peers_source_table_count(t), SOURCES_KEPT + 2 * limits.sessions);
    cr_expect_eq(enter("198.51.100.1", NULL), ADMISSION_PENALTY,
                 "a source with a penalty is not evicted");
    enter("192.0.2.1", NULL);
    enter("192.0.2.1", NULL);
    cr_expect_eq(enter("192.0.2.1", NULL), ADMISSION_HALF_OPEN_ADDRESS_FULL,
                 "nor is one with a session");
    peers_source_table_leave(t, &mine, true);
}

Test(peers_source_table, a_table_full_of_penalties_admits_a_new_source)
{
    limits.sessions = 1;
    limits.violations_allowed = 0;
    for (unsigned i = 0; i < 20000; i++) {
        char ip[64];

        snprintf(ip, sizeof ip, "11.%u.%u.1", (i >> 8) & 255, i & 255);
        violate(ip);
    }
    cr_expect_leq(peers_source_table_count(t), SOURCES_KEPT + 2);
    cr_expect_eq(enter("192.0.2.1", NULL), ADMITTED);
}

static unsigned take_files(const char *ip, unsigned wanted)
{
    struct address peer;

    cr_assert_eq(address_from_ip_text(&peer, ip, 1), ERR_OK);
    return peers_source_table_take_files(t, &peer, &limits, wanted, now_ms);
}

Test(peers_source_table, limits_files_per_second_of_an_address)
{
    static const struct {
        const char *what, *ip;
        uint64_t later_ms;
        unsigned per_s, wanted, taken;
        bool is_exempt;
    } rows[] = {
        {"a candidate's worth after a rest", "192.0.2.1", 10000, 100, 1000, 100, false},
        {"and then none", "192.0.2.1", 0, 100, 1, 0, false},
        {"a neighbour has its own", "192.0.2.2", 0, 100, 30, 30, false},
        {"and what it has not taken", "192.0.2.2", 0, 100, 1000, 70, false},
        {"a tenth of a candidate later", "192.0.2.1", 100, 100, 1000, 10, false},
        {"part of that", "192.0.2.1", 50, 100, 3, 3, false},
        {"then the rest", "192.0.2.1", 0, 100, 1000, 2, false},
        {"no more than a candidate's after a long one", "192.0.2.1", 60000, 100, 1000, 100, false},
        {"slow: one a candidate", "192.0.2.3", 0, 1, 5, 1, false},
        {"slow: not before", "192.0.2.3", 900, 1, 5, 0, false},
        {"slow: then one", "192.0.2.3", 100, 1, 5, 1, false},
        {"no limit", "192.0.2.1", 0, 0, 5000, 5000, false},
        {"exempt", "192.0.2.3", 0, 1, 5000, 5000, true},
        {"an IPv6 network", "2001:db8::1", 0, 10, 8, 8, false},
        {"is one, whatever the host", "2001:db8::2", 0, 10, 8, 2, false},
        {"another network", "2001:db8:0:1::2", 0, 10, 8, 8, false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        now_ms += rows[i].later_ms;
        limits.files_per_s = rows[i].per_s;
        limits.is_exempt = rows[i].is_exempt;
        cr_expect_eq(take_files(rows[i].ip, rows[i].wanted), rows[i].taken, "%s", rows[i].what);
    }
}
