#include "tcp/directory.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { WORKERS = 3, LIMIT = 100 };

static struct tcp_directory *d;

static void open_directory(void)
{
    cr_assert_eq(tcp_directory_open(&d, WORKERS, LIMIT), ERR_OK);
}

static void close_directory(void)
{
    tcp_directory_close(&d);
}

TestSuite(tcp_directory, .init = open_directory, .fini = close_directory, .timeout = 10);

static struct address at(const char *ip, uint16_t port)
{
    struct address a;

    cr_assert_eq(address_from_ip_text(&a, ip, port), ERR_OK);
    return a;
}

static struct tcp_place find(const struct address *a)
{
    struct tcp_place place;

    cr_assert_eq(tcp_directory_find_or_reserve(d, a, &place), ERR_OK);
    return place;
}

/* A peer exempt from the limits of a source. */
static enum peers_admission accept_one(struct tcp_place *place)
{
    struct address peer = at("127.0.0.1", 1);
    struct peers_source_limits limits = {.sessions = LIMIT, .half_open = LIMIT, .is_exempt = true};
    struct tcp_place evicted;

    return tcp_directory_accept(d, &peer, &limits, 0, place, &evicted);
}

static struct tcp_place accepted(void)
{
    struct tcp_place place;

    cr_assert_eq(accept_one(&place), ADMITTED);
    return place;
}

Test(tcp_directory, two_concurrent_sends_find_one_reservation)
{
    struct address a = at("192.0.2.1", 7771);
    struct tcp_place first = find(&a), second = find(&a);

    cr_expect_eq(first.session, second.session);
    cr_expect_eq(first.worker, second.worker);
    cr_expect_not(first.is_connected);
    cr_expect_eq(tcp_directory_count(d), 1);
    tcp_directory_leave(d, first.session);
}

Test(tcp_directory, a_reservation_is_claimed_once)
{
    struct address a = at("192.0.2.1", 7771);
    uint64_t session = find(&a).session;

    cr_expect(tcp_directory_claim(d, session));
    cr_expect_not(tcp_directory_claim(d, session));
    cr_expect_eq(find(&a).session, session, "the one being dialled is still found");
    tcp_directory_leave(d, session);
    cr_expect_not(tcp_directory_claim(d, session));
}

Test(tcp_directory, a_port_and_a_family_of_its_own_is_another_host)
{
    struct address hosts[] = {at("127.0.0.1", 1), at("127.0.0.1", 2), at("::1", 1),
                              at("127.0.0.2", 1)};
    uint64_t sessions[4];

    for (int i = 0; i < 4; i++) {
        sessions[i] = find(&hosts[i]).session;
        for (int j = 0; j < i; j++)
            cr_expect_neq(sessions[i], sessions[j]);
    }
    for (int i = 0; i < 4; i++)
        tcp_directory_leave(d, sessions[i]);
}

Test(tcp_directory, a_mapped_address_is_the_same_host)
{
    struct address plain = at("192.0.2.1", 7771), mapped = at("::ffff:192.0.2.1", 7771);
    uint64_t session = find(&plain).session;

    cr_expect_eq(find(&mapped).session, session);
    tcp_directory_leave(d, session);
}

Test(tcp_directory,
     a_dialled_session_is_preferred_to_an_announced_one_and_that_to_one_being_dialled)
{
    struct address a = at("192.0.2.1", 7771);
    uint64_t dialled = find(&a).session, announced = accepted().session;

    cr_assert(tcp_directory_claim(d, dialled));
    tcp_directory_connected(d, announced, &a);
    cr_expect_eq(find(&a).session, announced);
    cr_expect(find(&a).is_connected);
    tcp_directory_connected(d, dialled, NULL);
    cr_expect_eq(find(&a).session, dialled);
    tcp_directory_hide(d, dialled);
    cr_expect_eq(find(&a).session, announced);
    tcp_directory_leave(d, announced);
    tcp_directory_leave(d, dialled);
}

Test(tcp_directory, the_second_announcer_of_an_address_serves_when_the_first_is_gone)
{
    struct address a = at("192.0.2.1", 7771);
    uint64_t first = accepted().session, second = accepted().session, found;

    tcp_directory_connected(d, first, &a);
    tcp_directory_connected(d, second, &a);
    found = find(&a).session;
    cr_expect(found == first || found == second);
    tcp_directory_leave(d, first);
    cr_expect_eq(find(&a).session, second);
    tcp_directory_leave(d, second);
    cr_expect_eq(tcp_directory_count(d), 0);
}

Test(tcp_directory, an_accepted_session_without_an_address_is_never_found)
{
    struct address a = at("192.0.2.1", 7771);
    uint64_t silent = accepted().session, reserved;

    tcp_directory_connected(d, silent, NULL);
    reserved = find(&a).session;
    cr_expect_neq(reserved, silent);
    tcp_directory_leave(d, silent);
    tcp_directory_leave(d, reserved);
}

Test(tcp_directory, a_hidden_session_keeps_its_place_but_gets_no_sends)
{
    struct address a = at("192.0.2.1", 7771);
    uint64_t hidden = find(&a).session, next;

    tcp_directory_claim(d, hidden);
    tcp_directory_connected(d, hidden, NULL);
    tcp_directory_hide(d, hidden);
    cr_expect_eq(tcp_directory_count(d), 1);
    next = find(&a).session;
    cr_expect_neq(next, hidden);
    cr_expect_eq(tcp_directory_count(d), 2);
    tcp_directory_leave(d, hidden);
    tcp_directory_leave(d, next);
}

Test(tcp_directory, leaving_and_hiding_an_unknown_session_is_a_no_op)
{
    tcp_directory_leave(d, 4711);
    tcp_directory_hide(d, 4711);
    cr_expect_eq(tcp_directory_count(d), 0);
}

static struct peers_source_limits limits;

static void set_limits(void)
{
    limits = (struct peers_source_limits){.sessions = LIMIT,
                                          .per_address = 2,
                                          .per_network = 10,
                                          .half_open = 10,
                                          .half_open_per_address = 2,
                                          .accepts_per_s = 10,
                                          .accepts_burst = 10};
}

static struct tcp_place evicted; /* by the last call below */

static enum peers_admission come(const char *ip, struct tcp_place *out)
{
    struct address peer = at(ip, 1);

    return tcp_directory_accept(d, &peer, &limits, 100000, out, &evicted);
}

static uint64_t come_in(const char *ip)
{
    struct tcp_place place;

    cr_assert_eq(come(ip, &place), ADMITTED);
    return place.session;
}

static void all_leave(uint64_t last)
{
    for (uint64_t session = 1; session <= last; session++)
        tcp_directory_leave(d, session);
    cr_expect_eq(tcp_directory_sources(d).half_open, 0);
}

Test(tcp_directory, a_source_counts_its_sessions_until_they_leave, .init = set_limits)
{
    uint64_t one = come_in("192.0.2.1"), two = come_in("192.0.2.1");
    struct tcp_place three;

    cr_expect_eq(tcp_directory_sources(d).half_open, 2);
    tcp_directory_connected(d, one, NULL);
    tcp_directory_hide(d, two); /* rejected, not closed yet */
    cr_expect_eq(tcp_directory_sources(d).half_open, 1);
    cr_expect_eq(come("192.0.2.1", &three), ADMISSION_ADDRESS_FULL);
    tcp_directory_leave(d, two);
    cr_expect_eq(tcp_directory_sources(d).half_open, 0);
    cr_expect_eq(come("192.0.2.1", &three), ADMITTED);
    all_leave(three.session);
}

Test(tcp_directory, at_the_half_open_limit_the_oldest_of_the_largest_network_is_evicted,
     .init = set_limits)
{
    uint64_t flood, next;

    limits.half_open = 4;
    come_in("198.51.100.1"); /* older, but alone */
    flood = come_in("192.0.2.1");
    next = come_in("192.0.2.2");
    come_in("203.0.113.1");
    cr_expect_eq(evicted.session, 0);
    come_in("203.0.113.2");
    cr_expect_eq(evicted.session, flood);
    cr_expect_eq(tcp_directory_sources(d).half_open, 4);
    tcp_directory_connected(d, next, NULL);
    come_in("198.51.100.2");
    cr_expect_eq(evicted.session, 0, "one has said hello");
    tcp_directory_connected(d, flood, NULL); /* its hello arrived before the eviction */
    cr_expect_eq(tcp_directory_sources(d).half_open, 4);
    all_leave(6);
}

Test(tcp_directory, a_peer_over_its_own_limit_evicts_no_other, .init = set_limits)
{
    struct tcp_place place;

    limits.half_open = 3;
    come_in("192.0.2.1");
    come_in("192.0.2.1");
    come_in("198.51.100.1");
    cr_expect_eq(come("192.0.2.1", &place), ADMISSION_ADDRESS_FULL);
    cr_expect_eq(evicted.session, 0);
    all_leave(3);
}

Test(tcp_directory, exempt_sessions_are_not_evicted, .init = set_limits)
{
    struct tcp_place place;

    limits.half_open = 1;
    limits.is_exempt = true;
    come_in("192.0.2.1");
    limits.is_exempt = false;
    cr_expect_eq(come("198.51.100.1", &place), ADMISSION_HALF_OPEN_FULL);
    cr_expect_eq(evicted.session, 0);
    all_leave(1);
}

Test(tcp_directory, with_a_lowered_limit_one_is_evicted_for_each_new_one, .init = set_limits)
{
    come_in("192.0.2.1");
    come_in("192.0.2.2");
    come_in("192.0.2.3");
    limits.half_open = 1;
    come_in("198.51.100.1");
    cr_expect_eq(evicted.session, 1);
    cr_expect_eq(tcp_directory_sources(d).half_open, 3);
    all_leave(4);
}

Test(tcp_directory, the_limit_holds_for_both_ways_and_an_old_session_is_found_at_it)
{
    struct address a = at("192.0.2.1", 7771), b = at("192.0.2.2", 7771);
    struct tcp_place place;
    uint64_t there = find(&a).session, also;

    tcp_directory_set_limit(d, 2);
    also = accepted().session;
    cr_expect_eq(accept_one(&place), ADMISSION_FULL);
    cr_expect_eq(tcp_directory_find_or_reserve(d, &b, &place), ERR_FULL);
    cr_expect_eq(find(&a).session, there);
    tcp_directory_leave(d, also);
    cr_expect_eq(tcp_directory_find_or_reserve(d, &b, &place), ERR_OK);
    tcp_directory_leave(d, place.session);
    tcp_directory_leave(d, there);
}

Test(tcp_directory, each_place_is_with_the_worker_that_has_the_fewest)
{
    struct address a = at("192.0.2.1", 7771);
    uint64_t sessions[2 * WORKERS];
    unsigned of_worker[WORKERS] = {0};
    struct tcp_place place;

    for (int i = 0; i < 2 * WORKERS - 1; i++) {
        place = accepted();
        sessions[i] = place.session;
        of_worker[place.worker]++;
    }
    place = find(&a);
    sessions[2 * WORKERS - 1] = place.session;
    of_worker[place.worker]++;
    for (int i = 0; i < WORKERS; i++)
        cr_expect_eq(of_worker[i], 2);
    tcp_directory_leave(d, sessions[1]);
    cr_expect_eq(accepted().worker, 1, "it has a place less");
    for (int i = 0; i < 2 * WORKERS; i++)
        tcp_directory_leave(d, sessions[i]);
    tcp_directory_leave(d, sessions[2 * WORKERS - 1] + 1);
    cr_expect_eq(tcp_directory_count(d), 0);
}

Test(tcp_directory, what_we_listen_on_is_our_own)
{
    struct address own[] = {at("192.0.2.1", 7771), at("::1", 7772)};
    struct address same = at("192.0.2.1", 7771), port = at("192.0.2.1", 7772);
    struct address other = at("192.0.2.2", 7771), six = at("::1", 7772);

    cr_expect_not(tcp_directory_is_own(d, &same));
    tcp_directory_set_own(d, own, 2);
    cr_expect(tcp_directory_is_own(d, &same));
    cr_expect(tcp_directory_is_own(d, &six));
    cr_expect_not(tcp_directory_is_own(d, &port));
    cr_expect_not(tcp_directory_is_own(d, &other));
    tcp_directory_set_own(d, own, 0);
    cr_expect_not(tcp_directory_is_own(d, &same));
}

Test(tcp_directory, listening_everywhere_makes_each_address_of_this_machine_our_own)
{
    struct address own = at("0.0.0.0", 7771);
    struct address here = at("127.0.0.1", 7771), alias = at("127.8.9.10", 7771);
    struct address port = at("127.0.0.1", 7772), far = at("192.0.2.1", 7771);

    tcp_directory_set_own(d, &own, 1);
    cr_expect(tcp_directory_is_own(d, &own));
    cr_expect(tcp_directory_is_own(d, &here));
    cr_expect(tcp_directory_is_own(d, &alias));
    cr_expect_not(tcp_directory_is_own(d, &port));
    cr_expect_not(tcp_directory_is_own(d, &far));
}

Test(tcp_directory, the_wildcard_is_our_own_when_we_listen_on_loopback)
{
    struct address own = at("127.0.0.1", 7771), any = at("0.0.0.0", 7771);

    tcp_directory_set_own(d, &own, 1);
    cr_expect(tcp_directory_is_own(d, &any), "connect(2) takes 0.0.0.0 for loopback");
}

/* All threads use the same few hosts; a claimed place has one holder until it leaves. */

enum { THREADS = 8, ROUNDS = 2000, HOSTS = 4 };

static atomic_uint holders[HOSTS];
static atomic_uint failures;

static void one_round(unsigned i)
{
    struct address a = {.family = ADDRESS_V4, .ip = {192, 0, 2, 1}, .port = (uint16_t)(i % HOSTS)};
    struct tcp_place place, taken;

    a.port++;
    if (tcp_directory_find_or_reserve(d, &a, &place) != ERR_OK) {
        failures++;
        return;
    }
    if (!tcp_directory_claim(d, place.session))
        return;
    if (atomic_fetch_add(&holders[i % HOSTS], 1) != 0)
        failures++; /* a second connect to the same host */
    tcp_directory_connected(d, place.session, NULL);
    if (accept_one(&taken) == ADMITTED) {
        tcp_directory_connected(d, taken.session, i % 3 == 0 ? &a : NULL);
        tcp_directory_leave(d, taken.session);
    }
    atomic_fetch_sub(&holders[i % HOSTS], 1);
    tcp_directory_hide(d, place.session);
    tcp_directory_leave(d, place.session);
}

static void *hammer(void *arg)
{
    for (unsigned i = 0; i < ROUNDS; i++)
        one_round(i + (unsigned)(size_t)arg);
    return NULL;
}

Test(tcp_directory, many_threads_never_dial_one_host_twice, .timeout = 60)
{
    pthread_t threads[THREADS];

    for (size_t i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, hammer, (void *)i), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    cr_expect_eq(failures, 0);
    cr_expect_eq(tcp_directory_count(d), 0);
}
