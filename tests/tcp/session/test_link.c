/* A link and the other end of its socket, over loopback TCP, with an edge-triggered poller as a
 * session has. */
#include "tcp/session/link.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(session_link, .timeout = 30);

static struct session_link l;
static int peer = -1, listening = -1, poller = -1;

static struct address listen_on_loopback(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    struct address address;

    listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(listening, (struct sockaddr *)&at, sizeof at), 0);
    cr_assert_eq(listen(listening, 1), 0);
    cr_assert_eq(getsockname(listening, (struct sockaddr *)&at, &length), 0);
    cr_assert_eq(address_from_sockaddr(&address, (struct sockaddr *)&at), ERR_OK);
    return address;
}

static void watch(void)
{
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET};

    poller = epoll_create1(EPOLL_CLOEXEC);
    cr_assert_eq(epoll_ctl(poller, EPOLL_CTL_ADD, l.fd, &e), 0);
}

/* Waits for a readiness event of the socket. */
static void ring(void)
{
    struct epoll_event e;

    cr_assert_eq(epoll_wait(poller, &e, 1, -1), 1);
    session_link_ready(&l, e.events);
}

#define UNTIL(holds)     \
    do {                 \
        while (!(holds)) \
            ring();      \
    } while (0)

static void connected(void)
{
    struct address address = listen_on_loopback();

    session_link_init(&l);
    cr_assert_eq(session_link_connect(&l, &address), ERR_OK);
    watch();
    UNTIL(session_link_handshake(&l) == ERR_OK);
    peer = accept(listening, NULL, NULL);
    cr_assert_geq(peer, 0);
}

static void clean_up(void)
{
    session_link_close(&l);
    close(peer);
    close(listening);
    close(poller);
}

/* Closes the peer's end with a reset. */
static void reset(void)
{
    struct linger immediate = {.l_onoff = 1};

    cr_assert_eq(setsockopt(peer, SOL_SOCKET, SO_LINGER, &immediate, sizeof immediate), 0);
    close(peer);
    peer = -1;
}

Test(session_link, the_handshake_of_an_accepted_socket_is_done_at_once)
{
    int pair[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    session_link_take(&l, pair[0]);
    cr_expect_eq(session_link_handshake(&l), ERR_OK);
    cr_expect_not(session_link_has_pending(&l));
    cr_expect_not(session_link_is_writable(&l));
    session_link_close(&l);
    cr_expect_eq(read(pair[1], pair, 1), 0, "the link closed its socket");
    close(pair[1]);
}

Test(session_link, the_handshake_of_a_connect_waits_for_its_outcome, .fini = clean_up)
{
    struct address address = listen_on_loopback();

    session_link_init(&l);
    cr_assert_eq(session_link_connect(&l, &address), ERR_OK);
    cr_expect_eq(session_link_handshake(&l), ERR_AGAIN, "no event was reported");
    watch();
    ring();
    cr_expect_eq(session_link_handshake(&l), ERR_OK);
    cr_expect_eq(session_link_handshake(&l), ERR_OK, "a second call is a no-op");
    cr_expect(session_link_is_writable(&l));
}

Test(session_link, a_refused_connect_is_reported_by_the_handshake, .fini = clean_up)
{
    struct address address = listen_on_loopback();

    close(listening);
    listening = -1;
    session_link_init(&l);
    cr_assert_eq(session_link_connect(&l, &address), ERR_OK);
    watch();
    ring();
    cr_expect_eq(session_link_handshake(&l), ERR_REFUSED);
}

Test(session_link, a_connect_that_cannot_begin_leaves_no_socket)
{
    struct address address;

    session_link_init(&l);
    cr_assert_eq(address_from_ip_text(&address, "fe80::1", 7771), ERR_OK);
    cr_expect_eq(session_link_connect(&l, &address), ERR_SCOPE);
    cr_expect_eq(l.fd, -1);
    cr_assert_eq(address_from_ip_text(&address, "255.255.255.255", 7771), ERR_OK);
    cr_expect_neq(session_link_connect(&l, &address), ERR_OK);
    cr_expect_eq(l.fd, -1);
    session_link_close(&l); /* a no-op */
}

Test(session_link, a_full_buffer_leaves_something_pending_a_short_read_nothing, .init = connected,
     .fini = clean_up)
{
    char bytes[8];
    size_t length;

    cr_expect_not(session_link_has_pending(&l));
    cr_assert_eq(write(peer, "0123456789", 10), 10);
    UNTIL(session_link_has_pending(&l));
    cr_expect_eq(session_link_recv(&l, bytes, sizeof bytes, &length), ERR_OK);
    cr_expect_eq(length, sizeof bytes);
    cr_expect_arr_eq(bytes, "01234567", 8);
    cr_expect(session_link_has_pending(&l));
    cr_expect_eq(session_link_recv(&l, bytes, sizeof bytes, &length), ERR_OK);
    cr_expect_eq(length, 2);
    cr_expect_arr_eq(bytes, "89", 2);
    cr_expect_not(session_link_has_pending(&l));
    cr_assert_eq(write(peer, "x", 1), 1);
    UNTIL(session_link_has_pending(&l));
}

Test(session_link, a_full_buffer_with_nothing_behind_it_is_followed_by_again, .init = connected,
     .fini = clean_up)
{
    char bytes[8];
    size_t length;

    cr_assert_eq(write(peer, "01234567", 8), 8);
    UNTIL(session_link_has_pending(&l));
    cr_expect_eq(session_link_recv(&l, bytes, sizeof bytes, &length), ERR_OK);
    cr_expect(session_link_has_pending(&l));
    cr_expect_eq(session_link_recv(&l, bytes, sizeof bytes, &length), ERR_AGAIN);
    cr_expect_eq(length, 0);
    cr_expect_not(session_link_has_pending(&l));
}

Test(session_link, bytes_without_an_event_are_found_by_a_recheck, .init = connected,
     .fini = clean_up)
{
    char bytes[8];
    size_t length;

    session_link_recheck(&l);
    cr_expect_eq(session_link_recv(&l, bytes, sizeof bytes, &length), ERR_AGAIN);
    cr_expect_not(session_link_has_pending(&l));
    cr_assert_eq(write(peer, "a", 1), 1);
    cr_assert_eq(poll(&(struct pollfd){.fd = l.fd, .events = POLLIN}, 1, -1), 1);
    cr_expect_not(session_link_has_pending(&l), "no event was reported");
    session_link_recheck(&l);
    cr_expect_eq(session_link_recv(&l, bytes, sizeof bytes, &length), ERR_OK);
    cr_expect_eq(length, 1);
}

Test(session_link, an_announced_end_of_file_is_pending_until_it_was_read, .init = connected,
     .fini = clean_up)
{
    char bytes[8];
    size_t length;

    cr_assert_eq(write(peer, "bye", 3), 3);
    cr_assert_eq(shutdown(peer, SHUT_WR), 0);
    UNTIL(session_link_has_end(&l));
    cr_expect_eq(session_link_recv(&l, bytes, sizeof bytes, &length), ERR_OK);
    cr_expect_eq(length, 3);
    cr_expect(session_link_has_pending(&l), "the end causes no other event");
    cr_expect_eq(session_link_recv(&l, bytes, sizeof bytes, &length), ERR_OK);
    cr_expect_eq(length, 0);
    cr_expect_not(session_link_has_pending(&l));
}

Test(session_link, a_reset_is_reported_by_recv_and_send, .init = connected, .fini = clean_up)
{
    char bytes[8];
    size_t moved;

    reset();
    UNTIL(session_link_has_end(&l));
    cr_expect(session_link_has_pending(&l));
    cr_expect_eq(session_link_recv(&l, bytes, sizeof bytes, &moved), ERR_RESET);
    cr_expect_eq(moved, 0);
    cr_expect_not(session_link_has_pending(&l));
    cr_expect_eq(session_link_send(&l, "a", 1, &moved), ERR_CLOSED, "and no SIGPIPE");
    cr_expect_eq(moved, 0);
}

/* Bytes that differ from their neighbours near and far. */
static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 31 + i / 251);
}

enum { ALL = 8 << 20 };

/* Receives at the peer, and checks the bytes and their order. */
static size_t peer_takes(size_t got)
{
    static uint8_t taken[1 << 16];
    ssize_t n = recv(peer, taken, sizeof taken, 0);

    cr_assert_gt(n, 0);
    for (ssize_t i = 0; i < n; i++)
        cr_assert_eq(taken[i], byte_at(got + (size_t)i), "byte %zu", got + (size_t)i);
    return got + (size_t)n;
}

Test(session_link, a_short_send_continues_with_the_same_bytes_after_an_event, .init = connected,
     .fini = clean_up)
{
    uint8_t *bytes = malloc(ALL);
    size_t at = 0, got = 0;
    unsigned cuts = 0;

    for (size_t i = 0; i < ALL; i++)
        bytes[i] = byte_at(i);
    while (at < ALL) {
        size_t sent;

        UNTIL(session_link_is_writable(&l));
        cr_assert_eq(session_link_send(&l, bytes + at, ALL - at, &sent), ERR_OK);
        cr_assert_gt(sent, 0);
        at += sent;
        if (at == ALL)
            break;
        cuts++;
        cr_assert_not(session_link_is_writable(&l), "what was cut is full");
        cr_assert_eq(session_link_send(&l, bytes + at, ALL - at, &sent), ERR_AGAIN);
        cr_assert_eq(sent, 0);
        while (got < at) /* then EPOLLOUT is reported */
            got = peer_takes(got);
    }
    while (got < ALL)
        got = peer_takes(got);
    cr_expect_geq(cuts, 1);
    free(bytes);
}

Test(session_link, a_send_that_was_taken_whole_leaves_room, .init = connected, .fini = clean_up)
{
    size_t sent;

    cr_assert_eq(session_link_send(&l, "abc", 3, &sent), ERR_OK);
    cr_expect_eq(sent, 3);
    cr_expect(session_link_is_writable(&l));
}

Test(session_link, a_full_socket_returns_again, .init = connected, .fini = clean_up)
{
    static uint8_t bytes[1 << 16];
    size_t sent;

    while (send(l.fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
        ; /* without the link */
    cr_expect_eq(session_link_send(&l, bytes, sizeof bytes, &sent), ERR_AGAIN);
    cr_expect_eq(sent, 0);
    cr_expect_not(session_link_is_writable(&l));
}

Test(session_link, after_its_end_of_file_it_still_receives, .init = connected, .fini = clean_up)
{
    char bytes[8];
    size_t moved;

    cr_assert_eq(session_link_send(&l, "abc", 3, &moved), ERR_OK);
    cr_assert_eq(session_link_shutdown(&l), ERR_OK);
    cr_expect_eq(recv(peer, bytes, sizeof bytes, MSG_WAITALL), 3);
    cr_assert_eq(write(peer, "z", 1), 1);
    UNTIL(session_link_has_pending(&l));
    cr_expect_eq(session_link_recv(&l, bytes, sizeof bytes, &moved), ERR_OK);
    cr_expect_eq(moved, 1);
}
