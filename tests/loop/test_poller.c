#include "loop/poller.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static struct poller *poller;
static int pair[2], other_pair[2];
static unsigned calls;
static uint32_t last_events;

static void count(struct watch *w, uint32_t events)
{
    (void)w;
    calls++;
    last_events = events;
}

static struct watch watch, other;

static void two_pairs(void)
{
    cr_assert_eq(poller_open(&poller), ERR_OK);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, other_pair), 0);
    watch = (struct watch){.fd = pair[0], .ready = count};
    other = (struct watch){.fd = other_pair[0], .ready = count};
}

static void clean_up(void)
{
    poller_close(&poller);
    cr_assert_null(poller);
    poller_close(&poller);
    for (unsigned i = 0; i < 2; i++) {
        close(pair[i]);
        close(other_pair[i]);
    }
}

static void send_to(int fd)
{
    cr_assert_eq(write(fd, "x", 1), 1);
}

Test(poller, reports_an_edge_once, .init = two_pairs, .fini = clean_up, .timeout = 5)
{
    cr_assert_eq(poller_add(poller, &watch, EPOLLIN), ERR_OK);
    poller_wait(poller, 0);
    cr_assert_eq(calls, 0u);
    send_to(pair[1]);
    poller_wait(poller, -1);
    cr_assert_eq(calls, 1u);
    cr_assert(last_events & EPOLLIN);
    poller_wait(poller, 0);
    cr_assert_eq(calls, 1u, "not read, but reported already");
    send_to(pair[1]);
    poller_wait(poller, -1);
    cr_assert_eq(calls, 2u);
}

Test(poller, reports_a_level_while_it_lasts, .init = two_pairs, .fini = clean_up, .timeout = 5)
{
    char byte;

    cr_assert_eq(poller_add(poller, &watch, EPOLLIN | POLLER_LEVEL), ERR_OK);
    send_to(pair[1]);
    poller_wait(poller, -1);
    poller_wait(poller, -1);
    cr_assert_eq(calls, 2u);
    cr_assert_eq(read(pair[0], &byte, 1), 1);
    poller_wait(poller, 0);
    cr_assert_eq(calls, 2u);
}

Test(poller, reports_a_hangup, .init = two_pairs, .fini = clean_up, .timeout = 5)
{
    cr_assert_eq(poller_add(poller, &watch, EPOLLIN | EPOLLRDHUP), ERR_OK);
    cr_assert_eq(shutdown(pair[1], SHUT_WR), 0);
    poller_wait(poller, -1);
    cr_assert(last_events & EPOLLRDHUP);
}

Test(poller, rejects_a_duplicate_or_closed_descriptor, .init = two_pairs, .fini = clean_up,
     .timeout = 5)
{
    struct watch closed = {.fd = -1, .ready = count};

    cr_assert_eq(poller_add(poller, &watch, EPOLLIN), ERR_OK);
    cr_assert_eq(poller_add(poller, &watch, EPOLLIN), ERR_EXISTS);
    cr_assert_neq(poller_add(poller, &closed, EPOLLIN), ERR_OK);
}

/* The first of the two to be called removes the other, which must not be called then. */
static void remove_the_other(struct watch *w, uint32_t events)
{
    struct watch *loser = w == &watch ? &other : &watch;

    (void)events;
    calls++;
    poller_remove(poller, loser);
    memset(loser, 0xee, sizeof *loser); /* as if its memory were reused */
}

Test(poller, never_calls_a_watch_removed_in_the_same_batch, .init = two_pairs, .fini = clean_up,
     .timeout = 5)
{
    watch.ready = other.ready = remove_the_other;
    cr_assert_eq(poller_add(poller, &watch, EPOLLIN), ERR_OK);
    cr_assert_eq(poller_add(poller, &other, EPOLLIN), ERR_OK);
    send_to(pair[1]);
    send_to(other_pair[1]);
    poller_wait(poller, -1);
    cr_assert_eq(calls, 1u);
    poller_wait(poller, 0);
    cr_assert_eq(calls, 1u);
}

Test(poller, lets_a_watch_remove_and_add_itself, .init = two_pairs, .fini = clean_up, .timeout = 5)
{
    cr_assert_eq(poller_add(poller, &watch, EPOLLIN), ERR_OK);
    poller_remove(poller, &watch);
    send_to(pair[1]);
    poller_wait(poller, 0);
    cr_assert_eq(calls, 0u);
    cr_assert_eq(poller_add(poller, &watch, EPOLLIN), ERR_OK);
    poller_wait(poller, -1);
    cr_assert_eq(calls, 1u, "pending data is an edge for a new watch");
}

Test(poller, calls_between_the_steps_of_a_wait_nobody, .init = two_pairs, .fini = clean_up,
     .timeout = 5)
{
    cr_assert_eq(poller_add(poller, &watch, EPOLLIN), ERR_OK);
    send_to(pair[1]);
    poller_gather(poller, -1);
    cr_assert_eq(calls, 0u);
    poller_deliver(poller);
    cr_assert_eq(calls, 1u);
    poller_deliver(poller);
    cr_assert_eq(calls, 1u);
}

Test(poller, a_watch_whose_memory_was_reused_aborts, .init = two_pairs, .signal = SIGABRT,
     .timeout = 5)
{
    cr_assert_eq(poller_add(poller, &watch, EPOLLIN), ERR_OK);
    send_to(pair[1]);
    memset(&watch, 0xee, sizeof watch);
    poller_wait(poller, -1);
}
