#include "peers/bandwidth.h"

#include <criterion/criterion.h>
#include <pthread.h>

#define S 1000000u

static struct peers_bandwidth_pool pool;
static struct settings s;

TestSuite(bandwidth, .timeout = 20);

/* Bytes that a session transfers in an interval when it always takes its whole allowance, in steps
 * of a millisecond. */
static uint64_t greedy(struct peers_bandwidth *b, struct peers_bandwidth_session *session,
                       uint64_t from_us, uint64_t to_us)
{
    uint64_t moved = 0;

    for (uint64_t us = from_us; us < to_us; us += 1000) {
        uint64_t n = peers_bandwidth_allowance(b, session, PEERS_BANDWIDTH_IN, &s, us);

        if (n > 0)
            peers_bandwidth_take(b, session, PEERS_BANDWIDTH_IN, &s, n, us);
        moved += n;
    }
    return moved;
}

static void expect_about(uint64_t is, uint64_t wanted)
{
    cr_expect(is >= wanted * 9 / 10 && is <= wanted * 12 / 10, "%lu instead of %lu",
              (unsigned long)is, (unsigned long)wanted);
}

Test(bandwidth, is_unlimited_at_first)
{
    struct peers_bandwidth b = {.pool = &pool, .sharers = 1};
    struct peers_bandwidth_session session = {0};

    cr_expect_eq(peers_bandwidth_allowance(&b, &session, PEERS_BANDWIDTH_IN, &s, 100 * S),
                 UINT64_MAX);
    cr_expect_eq(peers_bandwidth_allowance(&b, &session, PEERS_BANDWIDTH_OUT, &s, 100 * S),
                 UINT64_MAX);
}

Test(bandwidth, a_session_has_its_own_rate)
{
    struct peers_bandwidth b = {.pool = &pool, .sharers = 1};
    struct peers_bandwidth_session one = {0}, two = {0};

    s.bandwidth.session_in_kib_per_s = 100;
    expect_about(greedy(&b, &one, 100 * S, 105 * S), 5 * 102400);
    expect_about(greedy(&b, &two, 105 * S, 110 * S), 5 * 102400);
    cr_expect_eq(peers_bandwidth_allowance(&b, &one, PEERS_BANDWIDTH_OUT, &s, 110 * S), UINT64_MAX);
}

Test(bandwidth, one_busy_worker_gets_the_whole_rate)
{
    struct peers_bandwidth b = {.pool = &pool, .sharers = 1};
    struct peers_bandwidth_session session = {0};

    s.bandwidth.in_kib_per_s = 1000;
    expect_about(greedy(&b, &session, 100 * S, 102 * S), 2 * 1024000);
}

Test(bandwidth, workers_share_the_rate_of_the_node)
{
    struct peers_bandwidth b[3];
    struct peers_bandwidth_session sessions[3] = {0};
    uint64_t moved[3] = {0};

    s.bandwidth.in_kib_per_s = 1000;
    for (int i = 0; i < 3; i++)
        b[i] = (struct peers_bandwidth){.pool = &pool, .sharers = 1};
    for (uint64_t us = 100 * S; us < 104 * S; us += 20000)
        for (int i = 0; i < 3; i++)
            moved[i] += greedy(&b[i], &sessions[i], us + 1000 * (unsigned)i,
                               us + 1000 * (unsigned)i + 1000);
    expect_about(moved[0] + moved[1] + moved[2], 4 * 1024000);
    for (int i = 0; i < 3; i++)
        cr_expect_gt(moved[i], 4 * 1024000 / 10, "worker %d: %lu", i, (unsigned long)moved[i]);
}

Test(bandwidth, a_debt_is_paid_by_waiting)
{
    struct peers_bandwidth b = {.pool = &pool, .sharers = 1};
    struct peers_bandwidth_session session = {0};
    uint64_t us = 100 * S;

    s.bandwidth.out_kib_per_s = 100;
    peers_bandwidth_take(&b, &session, PEERS_BANDWIDTH_OUT, &s, 204800, us);
    while (peers_bandwidth_allowance(&b, &session, PEERS_BANDWIDTH_OUT, &s, us) == 0)
        us += 20000;
    cr_expect(us > 101700000 && us < 102200000, "after %lu us", (unsigned long)(us - 100 * S));
}

Test(bandwidth, waiting_sessions_get_equal_shares)
{
    struct peers_bandwidth b = {.pool = &pool, .sharers = 4};
    struct peers_bandwidth_session session = {0};
    uint64_t alone, shared;

    s.bandwidth.in_kib_per_s = 10000;
    shared = peers_bandwidth_allowance(&b, &session, PEERS_BANDWIDTH_IN, &s, 100 * S);
    alone = (uint64_t)b.leases[PEERS_BANDWIDTH_IN].left;
    cr_expect_eq(shared, alone / 4);
    peers_bandwidth_take(&b, &session, PEERS_BANDWIDTH_IN, &s, shared, 100 * S);
    cr_expect_eq(peers_bandwidth_allowance(&b, &session, PEERS_BANDWIDTH_IN, &s, 100 * S), shared,
                 "the next session gets as much");
}

Test(bandwidth, removing_a_limit_clears_the_debt)
{
    struct peers_bandwidth b = {.pool = &pool, .sharers = 1};
    struct peers_bandwidth_session session = {0};

    s.bandwidth.in_kib_per_s = 1;
    peers_bandwidth_take(&b, &session, PEERS_BANDWIDTH_IN, &s, 10 << 20, 100 * S);
    cr_expect_eq(peers_bandwidth_allowance(&b, &session, PEERS_BANDWIDTH_IN, &s, 100 * S), 0u);
    s.bandwidth.in_kib_per_s = 0;
    cr_expect_eq(peers_bandwidth_allowance(&b, &session, PEERS_BANDWIDTH_IN, &s, 100 * S),
                 UINT64_MAX);
    peers_bandwidth_take(&b, &session, PEERS_BANDWIDTH_IN, &s, 1, 100 * S);
    s.bandwidth.in_kib_per_s = 1000;
    cr_expect_gt(peers_bandwidth_allowance(&b, &session, PEERS_BANDWIDTH_IN, &s, 101 * S), 0u);
}

static void *lease_all(void *arg)
{
    struct peers_bandwidth b = {.pool = &pool, .sharers = 1};
    struct peers_bandwidth_session session = {0};

    *(uint64_t *)arg = greedy(&b, &session, 100 * S, 110 * S);
    return NULL;
}

Test(bandwidth, threads_never_lease_more_than_there_is)
{
    pthread_t threads[4];
    uint64_t moved[4], sum = 0;

    s.bandwidth.in_kib_per_s = 1000;
    for (int i = 0; i < 4; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, lease_all, &moved[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        sum += moved[i];
    }
    /* Each thread has its own clock here, so one that is behind can get less, but never more. */
    cr_expect_leq(sum, 10 * 1024000 * 11 / 10);
}
