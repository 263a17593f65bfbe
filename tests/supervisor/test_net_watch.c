#include "supervisor/net_watch.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct address_set set_of(const char *const *texts)
{
    struct address_set set = {.list = calloc(8, sizeof *set.list)};

    for (; *texts != NULL; texts++)
        cr_assert_eq(address_from_ip_text(&set.list[set.count++], *texts, 0), ERR_OK);
    return set;
}

static bool is_same(const char *const *a, const char *const *b)
{
    struct address_set one = set_of(a), other = set_of(b);
    bool answer = supervisor_net_watch_is_equal(&one, &other);

    supervisor_net_watch_clear(&one);
    supervisor_net_watch_clear(&other);
    return answer;
}

#define SET(...) ((const char *const[]){__VA_ARGS__, NULL})

Test(supervisor_net_watch, compares_sets_independent_of_their_order, .timeout = 10)
{
    cr_assert(is_same(SET("127.0.0.1", "::1", "10.0.0.7"), SET("10.0.0.7", "127.0.0.1", "::1")));
    cr_assert_not(is_same(SET("127.0.0.1", "10.0.0.7"), SET("127.0.0.1", "10.0.0.8")));
    cr_assert_not(is_same(SET("127.0.0.1"), SET("127.0.0.1", "10.0.0.7")));
    cr_assert_not(is_same(SET("127.0.0.1", "127.0.0.1"), SET("127.0.0.1", "10.0.0.7")));
    cr_assert(is_same(SET(NULL), SET(NULL)));
    cr_assert_not(is_same(SET(NULL), SET("::1")));
}

Test(supervisor_net_watch, reads_the_addresses_of_this_machine, .timeout = 10)
{
    struct address_set now, again;

    cr_assert_eq(supervisor_net_watch_read(&now), ERR_OK);
    cr_assert_eq(supervisor_net_watch_read(&again), ERR_OK);
    cr_assert(supervisor_net_watch_is_equal(&now, &again));
    cr_assert_eq(supervisor_net_watch_has_address(), now.count > 0);
    supervisor_net_watch_clear(&now);
    supervisor_net_watch_clear(&again);
}

static struct loop *loop; /* not started: the test runs its turns */
static struct supervisor_net_watch watch;
static unsigned changes;

static void count(void *ctx)
{
    (void)ctx;
    changes++;
}

static void a_loop(void)
{
    cr_assert_eq(loop_open(&loop, &(struct loop_config){.name = "test", .mailbox_limit = 1}),
                 ERR_OK);
}

static void clean_up(void)
{
    supervisor_net_watch_close(&watch);
    loop_close(&loop);
}

static void fire_quiet(void)
{
    cr_assert(watch.quiet.is_set);
    loop_cancel_timer(loop, &watch.quiet);
    watch.quiet.fire(&watch.quiet, watch.quiet.ctx);
}

Test(supervisor_net_watch, reports_nothing_when_the_set_is_the_same, .init = a_loop,
     .fini = clean_up, .timeout = 10)
{
    cr_assert_eq(supervisor_net_watch_open(&watch, loop, count, NULL), ERR_OK);
    loop_set_timer(loop, &watch.quiet, SUPERVISOR_NET_WATCH_QUIET_MS);
    fire_quiet();
    cr_assert_eq(changes, 0);
}

Test(supervisor_net_watch, reports_once_when_the_set_differs, .init = a_loop, .fini = clean_up,
     .timeout = 10)
{
    cr_assert_eq(supervisor_net_watch_open(&watch, loop, count, NULL), ERR_OK);
    if (watch.known.count == 0)
        cr_skip_test("this machine has no address");
    watch.known.count--; /* as if an address had been added */
    for (unsigned i = 0; i < 2; i++) {
        loop_set_timer(loop, &watch.quiet, SUPERVISOR_NET_WATCH_QUIET_MS);
        fire_quiet();
    }
    cr_assert_eq(changes, 1);
}

/* Enters a new network namespace with a switchable loopback. False if that is not permitted. */
static bool enter_own_network(void)
{
    /* The first for root, also in a multithreaded test runner; the second for others. */
    return unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;
}

static void switch_loopback(bool is_up)
{
    struct ifreq wanted = {.ifr_flags = (short)(is_up ? IFF_UP | IFF_RUNNING : 0)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    snprintf(wanted.ifr_name, sizeof wanted.ifr_name, "lo");
    cr_assert_eq(ioctl(fd, SIOCSIFFLAGS, &wanted), 0);
    close(fd);
}

Test(supervisor_net_watch, detects_an_interface_that_comes_up_after_a_quiet_second, .init = a_loop,
     .fini = clean_up, .timeout = 10)
{
    uint64_t deadline_ms;

    if (!enter_own_network()) {
        fprintf(stderr, "no network namespaces available: only the socket is opened\n");
        cr_assert_eq(supervisor_net_watch_open(&watch, loop, count, NULL), ERR_OK);
        return;
    }
    cr_assert_eq(supervisor_net_watch_open(&watch, loop, count, NULL), ERR_OK);
    cr_assert_not(supervisor_net_watch_has_address());
    switch_loopback(true);
    loop_turn(loop, 2000);
    cr_assert(watch.quiet.is_set, "messages have arrived");
    cr_assert_eq(changes, 0, "and are not reported before a second of quiet");
    deadline_ms = watch.quiet.deadline_ms;
    cr_assert_eq(deadline_ms, loop_now_ms(loop) + SUPERVISOR_NET_WATCH_QUIET_MS);
    fire_quiet();
    cr_assert_eq(changes, 1);
    cr_assert(supervisor_net_watch_has_address());
    switch_loopback(false); /* down and up within the second: no change */
    switch_loopback(true);
    loop_turn(loop, 2000);
    fire_quiet();
    cr_assert_eq(changes, 1);
}
