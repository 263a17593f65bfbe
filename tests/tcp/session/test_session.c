#include "tcp/session/session.h"

#include "tcp/automata.h"
#include "tcp/session/limits.h"

#include "tcp/tcp_support.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HUNG_UP "connection failed: the peer hung up before hello: not a node, or it refuses us"

TestSuite(session, .init = context_open, .fini = context_close, .timeout = 10);

/* The state machine exactly as in docs/automata.md. */

struct expected_row {
    const char *from, *event, *guard, *to, *actions;
};

static const struct expected_row expected[] = {
    {"AT_STARTUP", "connection-made", "isIncoming", "SERVER?", "doInit"},
    {"AT_STARTUP", "connection-made", "isOutgoing", "CLIENT?",
     "doInit doCloseOutgoing doSendHello"},
    {"SERVER?", "data-received", "isHello", "CONNECTED",
     "doReadHello doSendWazap doOpenStream doStartPendingFiles"},
    {"SERVER?", "data-received", "", "DISCONNECT", "doDisconnect"},
    {"SERVER?", "timer-10sec", "", "DISCONNECT", "doDisconnect"},
    {"SERVER?", "disconnect", "", "DISCONNECT", "doDisconnect"},
    {"SERVER?", "connection-lost", "", "CLOSED", "doDestroyMe"},
    {"CLIENT?", "data-received", "isWazap", "CONNECTED",
     "doReadWazap doOpenStream doStartPendingFiles"},
    {"CLIENT?", "data-received", "", "DISCONNECT", "doDisconnect"},
    {"CLIENT?", "timer-10sec", "", "DISCONNECT", "doDisconnect"},
    {"CLIENT?", "disconnect", "", "DISCONNECT", "doDisconnect"},
    {"CLIENT?", "connection-lost", "", "CLOSED", "doDestroyMe"},
    {"CONNECTED", "data-received", "", "CONNECTED", "doReceiveData"},
    {"CONNECTED", "send-keep-alive", "", "CONNECTED", "doSendWazap"},
    {"CONNECTED", "disconnect", "", "DISCONNECT", "doStopInOutFiles doCloseStream doDisconnect"},
    {"CONNECTED", "connection-lost", "", "CLOSED", "doStopInOutFiles doCloseStream doDestroyMe"},
    {"DISCONNECT", "connection-lost", "", "CLOSED", "doDestroyMe"},
};
enum { ROWS = sizeof expected / sizeof *expected };

/* session_handshake_send_wazap -> doSendWazap, appended. */
static void add_camel(char *to, const char *name)
{
    to += strlen(to);
    for (; name != NULL && *name != '\0'; name++)
        *to++ = *name == '_' ? (char)toupper((unsigned char)*++name) : *name;
    *to = '\0';
}

Test(session, the_table_is_the_one_of_the_document)
{
    const struct automat_kind *kind = &session_kind;

    cr_assert_eq(kind->row_count, ROWS);
    cr_expect_str_eq(kind->name, "tcp_connection");
    cr_expect_str_eq(kind->state_names[kind->first], "AT_STARTUP");
    cr_expect_str_eq(kind->state_names[kind->last], "CLOSED");
    for (size_t i = 0; i < ROWS; i++) {
        const struct automat_row *row = &kind->rows[i];
        char condition[64] = "", actions[200] = "";

        add_camel(condition, row->guard.name);
        for (int j = 0; j < AUTOMAT_ACTIONS_MAX && row->actions[j].run != NULL; j++) {
            if (j > 0)
                strcat(actions, " ");
            add_camel(actions, row->actions[j].name);
        }
        cr_expect_str_eq(kind->state_names[row->from], expected[i].from, "row %zu", i);
        cr_expect_str_eq(kind->event_names[row->event], expected[i].event, "row %zu", i);
        cr_expect_str_eq(condition, expected[i].guard, "row %zu", i);
        cr_expect_str_eq(kind->state_names[row->to], expected[i].to, "row %zu", i);
        cr_expect_str_eq(actions, expected[i].actions, "row %zu", i);
    }
}

static bool has_row(uint8_t in, uint8_t when)
{
    for (size_t i = 0; i < ROWS; i++)
        if (strcmp(expected[i].from, session_kind.state_names[in]) == 0 &&
            strcmp(expected[i].event, session_kind.event_names[when]) == 0)
            return true;
    return false;
}

Test(session, an_event_without_a_row_leaves_everything_as_it_was)
{
    struct session before;
    uint8_t was;
    unsigned tried = 0;

    session_accepted();
    was = conn->automat.state;
    for (uint8_t in = 0; in < ST_COUNT; in++)
        for (uint8_t when = 0; when < EV_COUNT; when++) {
            if (has_row(in, when))
                continue;
            conn->automat.state = in;
            memcpy(&before, conn, sizeof before);
            cr_expect_not(automat_feed(&conn->automat, when, NULL));
            cr_expect_eq(memcmp(&before, conn, sizeof before), 0, "%s in %s changed something",
                         session_kind.event_names[when], session_kind.state_names[in]);
            tried++;
        }
    cr_expect_eq(tried, ST_COUNT * EV_COUNT - 14, "14 pairs have rows, three of them two");
    conn->automat.state = was;
    context_close();
}

/* The handshake. */

Test(session, an_incoming_session_waits_for_the_hello_and_answers_with_a_wazap)
{
    struct received_frame h;

    strcpy(context.settings.node.idurl, "http://id.example/me.xml");
    session_accepted();
    cr_expect_eq(state(), ST_SERVER);
    cr_expect(peer_receives_nothing());
    peer_hello();
    h = peer_receive();
    cr_expect_eq(h.command, 'w');
    cr_expect_str_eq(h.text, "http://id.example/me.xml");
    cr_expect_eq(state(), ST_CONNECTED);
    cr_expect_str_eq(conn->idurl, "http://id.example/peer.xml");
    cr_expect_eq(connects_done, 0);
    context_close();
}

Test(session, an_outgoing_session_sends_hello_and_is_connected_by_the_wazap_alone)
{
    struct received_frame h;

    strcpy(context.settings.node.host, "node.example");
    session_dialled();
    h = peer_receive();
    cr_expect_eq(h.command, 'h');
    cr_expect_str_eq(h.text, "node.example:7771 None");
    cr_expect_eq(state(), ST_CLIENT);
    cr_expect_eq(connects_done, 1);
    peer_send('w', "http://id.example/peer.xml", 26);
    UNTIL(state() != ST_CLIENT);
    cr_expect_eq(state(), ST_CONNECTED);
    cr_expect(peer_receives_nothing());
    context_close();
}

Test(session, a_node_that_does_not_receive_announces_the_address_of_the_reference)
{
    context.settings.tcp_transport.is_receiving_enabled = false;
    context.settings.tcp_connections.tcp_port = 4711;
    session_dialled();
    cr_expect_str_eq(peer_receive().text, "127.0.0.1:7771 None");
    context_close();
}

Test(session, data_may_follow_the_hello_in_its_segment)
{
    session_accepted();
    gather_frames();
    peer_hello();
    peer_file(7, "pipelined");
    send_gathered();
    cr_expect_eq(peer_receive().command, 'w');
    cr_expect_eq(peer_receive().command, 'o');
    cr_expect(is_file(played.last_path, "pipelined", 9));
    context_close();
}

Test(session, a_hello_may_come_byte_by_byte)
{
    static const char hello[] = "\0\0\0\x0c"
                                "1h:7771 None";

    session_accepted();
    for (size_t i = 0; i + 1 < sizeof hello; i++) {
        peer_write(hello + i, 1);
        turn();
    }
    cr_expect_eq(peer_receive().command, 'w');
    cr_expect_null(conn->idurl);
    context_close();
}

Test(session, a_hello_that_has_arrived_is_answered_despite_an_eviction)
{
    session_accepted();
    turn();
    peer_hello();
    session_limits_evict(conn); /* before the poller reported its socket */
    cr_expect_eq(peer_receive().command, 'w');
    cr_expect_eq(state(), ST_CONNECTED);
    context_close();
}

Test(session, a_session_without_a_hello_is_evicted_in_its_next_turn)
{
    session_accepted();
    peer_write("\0\0\0\x0c", 4);
    session_limits_evict(conn);
    UNTIL(conn == NULL);
    cr_expect(peer_receives_end());
    context_close();
}

/* As after a suspension of the process: what arrived meanwhile is unread. */
static void fire_timer(void)
{
    loop_cancel_timer(context.loop, &conn->timer);
    conn->timer.fire(&conn->timer, conn->timer.ctx);
}

Test(session, a_hello_that_arrived_before_the_timeout_fired_is_accepted)
{
    session_accepted();
    turn();
    peer_hello();
    fire_timer();
    cr_expect_eq(peer_receive().command, 'w');
    cr_expect_eq(state(), ST_CONNECTED);
    context_close();
}

Test(session, a_wazap_that_arrived_before_the_timeout_fired_is_accepted)
{
    session_dialled();
    cr_expect_eq(peer_receive().command, 'h');
    peer_send('w', "None", 4);
    fire_timer();
    UNTIL(state() != ST_CLIENT);
    cr_expect_eq(state(), ST_CONNECTED);
    context_close();
}

Test(session, a_peer_with_unread_input_is_not_idle)
{
    context.settings.sessions.idle_limit_s = 1;
    session_connected(false);
    conn->received_ms -= 1000;
    peer_send('w', "None", 4);
    fire_timer();
    turn();
    cr_expect_eq(state(), ST_CONNECTED);
    cr_expect(conn->timer.is_set, "it is looked at again");
    context_close();
}

static void is_hung_up(const char *reason)
{
    cr_expect(peer_receives_end(), "nothing is sent before the end");
    cr_expect_eq(state(), ST_DISCONNECT);
    cr_expect_str_eq(conn->reason, reason);
    peer_close();
    UNTIL(conn == NULL);
}

Test(session, data_as_first_frame_is_rejected)
{
    session_accepted();
    peer_file(1, "too early");
    is_hung_up("the first frame is not a hello");
    context_close();
}

Test(session, an_invalid_hello_closes_the_session)
{
    session_accepted();
    peer_send('h', "no-port None", 12);
    is_hung_up("invalid hello");
    context_close();
}

Test(session, another_first_frame_than_a_wazap_closes_the_session)
{
    session_dialled();
    cr_expect_eq(peer_receive().command, 'h');
    peer_hello();
    is_hung_up("the first frame is not a wazap: is that a dustwire node?");
    context_close();
}

Test(session, another_protocol_closes_the_session)
{
    session_accepted();
    peer_write("GET / HTTP/1.0\r\n\r\n", 18);
    cr_expect(peer_receives_end());
    cr_expect_eq(state(), ST_DISCONNECT);
    context_close();
}

Test(session, a_late_hello_is_a_handshake_timeout)
{
    context.settings.sessions.handshake_timeout_s = 1;
    session_accepted();
    peer_write("\0\0", 2); /* single bytes do not extend the timeout */
    is_hung_up("no hello within 1 s");
    context_close();
}

Test(session, a_missing_wazap_is_a_handshake_timeout)
{
    context.settings.sessions.handshake_timeout_s = 1;
    session_dialled();
    cr_expect_eq(peer_receive().command, 'h');
    is_hung_up("no hello within 1 s: is that a dustwire node?");
    context_close();
}

Test(session, a_peer_that_leaves_before_its_hello_leaves_nothing)
{
    session_accepted();
    peer_close();
    UNTIL(conn == NULL);
    cr_expect_eq(tcp_directory_count(context.directory), 0);
    context_close();
}

Test(session, a_refused_connect_fails_pending_sends_with_the_reason)
{
    struct tcp_place place;
    struct address nobody;
    struct sent_file *s;

    session_accepted(); /* for a port without a listener: the peer's own */
    nobody = conn->peer;
    peer_close();
    UNTIL(conn == NULL);
    cr_assert_eq(tcp_directory_find_or_reserve(context.directory, &nobody, &place), ERR_OK);
    cr_assert(tcp_directory_claim(context.directory, place.session));
    session_to(place.session, &nobody);
    s = send_made(10);
    UNTIL(s->answers == 1);
    cr_expect_str_eq(s->error, "connection failed: connection refused");
    cr_expect_eq(played.cancelled, 1);
    context_close();
}

Test(session, a_send_tries_the_next_address_of_its_host)
{
    struct sent_file *s;

    session_dialled();
    s = send_made(10);
    s->r->route.address_count = 2;
    cr_expect_eq(peer_receive().command, 'h');
    peer_close();
    UNTIL(s->answers == 1);
    cr_expect_eq(reroutes, 1);
    context_close();
}

Test(session, a_peer_that_closes_after_our_hello_fails_pending_sends)
{
    struct sent_file *s;

    session_dialled();
    s = send_made(10);
    cr_expect_eq(peer_receive().command, 'h');
    peer_close();
    UNTIL(s->answers == 1);
    cr_expect_str_eq(s->error, HUNG_UP);
    context_close();
}

/* The error for a dialled peer that is not a node, or refuses us. */

static void says_nothing(void)
{
}

static void leaves(void)
{
    peer_close();
}

static void resets(void)
{
    const struct linger reset = {.l_onoff = 1};

    setsockopt(peer_fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    peer_close();
}

static void half_closes(void)
{
    peer_end();
}

static void says_half_a_frame_and_leaves(void)
{
    peer_write("\0\0\0", 3);
    peer_close();
}

static void greets_like_ssh(void)
{
    peer_write("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", 32);
}

static void answers_like_a_web_server(void)
{
    peer_write("HTTP/1.1 400 Bad Request\r\n\r\n", 28);
}

static void greets_like_a_mail_server(void)
{
    peer_write("220 mail.example ESMTP\r\n", 24);
}

static void echoes_the_hello(void)
{
    peer_hello();
}

static void sends_a_file_first(void)
{
    peer_file(1, "too early");
}

static void says_ok_first(void)
{
    peer_ok(1);
}

static void says_another_version(void)
{
    peer_write("\0\0\0\6"
               "9wNone",
               10);
}

static void says_a_letter_that_is_no_command(void)
{
    peer_send('z', "None", 4);
}

static void drips_forever(void)
{
    peer_write("\0", 1);
}

Test(session, the_error_for_a_peer_that_is_not_a_node)
{
    static const struct {
        const char *name;
        void (*does)(void);
        const char *error;
    } rows[] = {
#define ROW(does, error) {#does, does, "connection failed: " error}
        ROW(says_nothing, "no hello within 1 s: is that a dustwire node?"),
        ROW(drips_forever, "no hello within 1 s: is that a dustwire node?"),
        ROW(leaves, "the peer hung up before hello: not a node, or it refuses us"),
        ROW(resets, "the peer hung up before hello: not a node, or it refuses us"),
        ROW(half_closes, "the peer hung up before hello: not a node, or it refuses us"),
        ROW(says_half_a_frame_and_leaves,
            "the peer hung up before hello: not a node, or it refuses us"),
        ROW(greets_like_ssh, "frame longer than 99,999 bytes: is that a dustwire node?"),
        ROW(answers_like_a_web_server, "frame longer than 99,999 bytes: is that a dustwire node?"),
        ROW(greets_like_a_mail_server, "frame longer than 99,999 bytes: is that a dustwire node?"),
        ROW(echoes_the_hello, "the first frame is not a wazap: is that a dustwire node?"),
        ROW(sends_a_file_first, "the first frame is not a wazap: is that a dustwire node?"),
        ROW(says_ok_first, "the first frame is not a wazap: is that a dustwire node?"),
        ROW(says_another_version, "unknown frame version: is that a dustwire node?"),
        ROW(says_a_letter_that_is_no_command, "unknown frame command: is that a dustwire node?"),
    };

    context.settings.sessions.handshake_timeout_s = 1;
    context.settings.sessions.linger_ms = 50;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sent_file *s;

        session_dialled();
        s = send_made(10);
        cr_expect_eq(peer_receive().command, 'h');
        rows[i].does();
        UNTIL(s->answers == 1);
        cr_expect_str_eq(s->error, rows[i].error, "%s: %s", rows[i].name, s->error);
        if (peer_fd >= 0)
            peer_close();
        UNTIL(conn == NULL);
    }
    context_close();
}

/* The linger timeout starts with the ACK of our last byte. */

enum { LINGER_MS = 40 };

struct ending {
    const char *name;
    size_t file_bytes; /* being sent when we disconnect */
    unsigned rest_ms;  /* before the peer begins to read */
    size_t bite;       /* bytes that it reads per turn; 0: it never reads */
    bool is_closing;   /* closes after our end of file */
    bool is_talking;   /* sends frames meanwhile, which are discarded */
    bool is_stop;      /* the node stops: only the linger timeout applies */
    bool hears_it_all; /* receives the abort and our end of file */
};

static void narrow_both(void)
{
    int small = 4096;

    setsockopt(conn->link.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
    setsockopt(peer_fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
}

static void rest(unsigned ms)
{
    uint64_t since_ms = loop_now_ms(context.loop);

    while (loop_now_ms(context.loop) - since_ms < ms)
        turn();
}

/* The peer reads until our end of file; true: it follows the abort. */
static bool hears_all(const struct ending *row)
{
    static char bytes[1 << 16], tail[64];
    ssize_t n = -1;

    memset(tail, 0, sizeof tail);
    while (row->bite > 0 && n != 0) {
        n = recv(peer_fd, bytes, row->bite, MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            return false;
        if (n >= (ssize_t)sizeof tail) {
            memcpy(tail, bytes + n - sizeof tail, sizeof tail);
        } else if (n > 0) {
            memmove(tail, tail + n, sizeof tail - (size_t)n);
            memcpy(tail + sizeof tail - n, bytes, (size_t)n);
        }
        if (n > 0 && row->is_talking)
            peer_send('w', "None", 4);
        turn();
    }
    return n == 0 &&
           (row->file_bytes == 0 || memcmp(tail + sizeof tail - 14, " disconnecting", 14) == 0);
}

static void end_like(const struct ending *row)
{
    struct sent_file *s = NULL;
    uint64_t received_ms;

    context.is_serving = true;
    context.settings.sessions.unread_limit_s = row->bite == 0 ? 1 : 60;
    session_connected(true);
    if (row->file_bytes > 0) {
        narrow_both();
        s = send_made(row->file_bytes);
        for (unsigned i = 0; i < 5 || conn->outgoing.count == 0; i++)
            turn();
    }
    context.is_serving = !row->is_stop;
    session_core_disconnect(conn, "disconnecting");
    rest(row->rest_ms);
    cr_expect_eq(hears_all(row), row->hears_it_all, "%s", row->name);
    received_ms = loop_now_ms(context.loop);
    if (row->is_closing)
        peer_end();
    UNTIL(conn == NULL);
    if (row->hears_it_all && !row->is_closing)
        cr_expect_geq(loop_now_ms(context.loop) + 5, received_ms + LINGER_MS, "%s: too early",
                      row->name);
    cr_expect(s == NULL || s->answers == 1, "%s", row->name);
    peer_close();
}

Test(session, the_linger_timeout_starts_with_the_ack_of_the_last_byte, .timeout = 60)
{
    static const struct ending rows[] = {
        {.name = "nothing under way", .bite = 100, .is_closing = true, .hears_it_all = true},
        {.name = "nothing under way, does not close", .bite = 100, .hears_it_all = true},
        {.name = "a file under way",
         .file_bytes = 1 << 20,
         .bite = 65536,
         .is_closing = true,
         .hears_it_all = true},
        {.name = "does not close", .file_bytes = 1 << 20, .bite = 65536, .hears_it_all = true},
        {.name = "rests for longer than the linger",
         .file_bytes = 1 << 20,
         .rest_ms = 120,
         .bite = 65536,
         .is_closing = true,
         .hears_it_all = true},
        {.name = "rests for much longer",
         .file_bytes = 1 << 20,
         .rest_ms = 400,
         .bite = 65536,
         .is_closing = true,
         .hears_it_all = true},
        {.name = "rests, does not close",
         .file_bytes = 1 << 20,
         .rest_ms = 120,
         .bite = 65536,
         .hears_it_all = true},
        {.name = "reads slowly",
         .file_bytes = 1 << 20,
         .rest_ms = 60,
         .bite = 1000,
         .is_closing = true,
         .hears_it_all = true},
        {.name = "talks on",
         .file_bytes = 1 << 20,
         .rest_ms = 60,
         .bite = 3000,
         .is_closing = true,
         .is_talking = true,
         .hears_it_all = true},
        {.name = "never reads", .file_bytes = 1 << 20},
        {.name = "never reads, and we stop", .file_bytes = 1 << 20, .is_stop = true},
        {.name = "rests, and we stop",
         .file_bytes = 1 << 20,
         .rest_ms = 400,
         .bite = 65536,
         .is_stop = true},
    };

    context.settings.sessions.linger_ms = LINGER_MS;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        end_like(&rows[i]);
    context_close();
}

/* Keep-alive. */

Test(session, a_keep_alive_is_a_wazap_that_is_not_answered)
{
    session_connected(false);
    cr_expect(session_keep_alive(conn));
    cr_expect_eq(peer_receive().command, 'w');
    peer_send('w', "None", 4);
    peer_hello();
    cr_expect(peer_receives_nothing());
    cr_expect_eq(state(), ST_CONNECTED);
    context_close();
}

Test(session, keep_alives_are_sent_automatically_while_idle)
{
    context.settings.sessions.keep_alive_s = 1;
    session_connected(false);
    cr_expect_eq(peer_receive().command, 'w');
    cr_expect_eq(peer_receive().command, 'w');
    context_close();
}

Test(session, an_idle_session_ends_though_we_keep_it_alive)
{
    context.settings.sessions.keep_alive_s = 1;
    context.settings.sessions.idle_limit_s = 2;
    context.settings.sessions.linger_ms = 50;
    session_connected(false);
    cr_expect_eq(peer_receive().command, 'w');
    UNTIL(state() == ST_DISCONNECT);
    cr_expect_str_eq(conn->reason, "idle");
    peer_end();
    UNTIL(conn == NULL);
    context_close();
}

Test(session, a_peer_that_keeps_it_alive_is_not_idle)
{
    uint64_t since_ms;

    context.settings.sessions.idle_limit_s = 1;
    session_connected(false);
    since_ms = loop_now_ms(context.loop);
    while (loop_now_ms(context.loop) - since_ms < 1500) {
        peer_send('w', "None", 4);
        turn();
    }
    cr_expect_eq(state(), ST_CONNECTED);
    context_close();
}

Test(session, no_keep_alive_before_the_handshake)
{
    session_accepted();
    cr_expect_not(session_keep_alive(conn));
    cr_expect(peer_receives_nothing());
    context_close();
}

/* End of a session. */

Test(session, a_disconnect_is_an_end_of_file_and_waits_for_the_peers)
{
    session_connected(false);
    session_core_disconnect(conn, "disconnecting");
    cr_expect(peer_receives_end());
    peer_file(1, "thrown away");
    turn();
    cr_expect_eq(state(), ST_DISCONNECT);
    peer_end();
    UNTIL(conn == NULL);
    cr_expect_eq(played.registered, 0);
    context_close();
}

Test(session, a_peer_that_does_not_close_is_dropped_after_the_linger)
{
    context.settings.sessions.linger_ms = 50;
    session_connected(false);
    session_core_disconnect(conn, "disconnecting");
    cr_expect(peer_receives_end());
    UNTIL(conn == NULL);
    context_close();
}

Test(session, a_half_close_of_the_peer_ends_the_session)
{
    session_connected(true);
    peer_end();
    UNTIL(conn == NULL);
    cr_expect(peer_receives_end());
    context_close();
}

Test(session, files_received_with_the_peers_end_of_file_are_kept)
{
    session_connected(false);
    gather_frames();
    peer_file(1, "first");
    peer_file(2, "second");
    send_gathered();
    peer_end();
    UNTIL(conn == NULL && context.transfer.transfers == 0);
    cr_expect_eq(played.finished, 2);
    cr_expect_eq(inbox_files(), 2);
    context_close();
}

Test(session, draining_an_idle_session_ends_it)
{
    session_connected(false);
    session_drain(conn);
    cr_expect(peer_receives_end());
    peer_close();
    UNTIL(conn == NULL);
    context_close();
}

Test(session, draining_lets_files_under_way_finish_and_accepts_no_new_ones)
{
    struct sent_file *under_way, *late;
    struct received_frame h;

    session_connected(false);
    peer_data(1, 6, "abc", 3);
    under_way = send_made(100);
    h = peer_receive();
    session_drain(conn);
    late = send_made(100);
    cr_expect_eq(late->answers, 0, "answers travel as messages");
    peer_file(2, "new");
    cr_expect_eq(peer_receive().file_id, 2);
    cr_expect_str_eq(late->error, "disconnecting");
    peer_ok(h.file_id);
    peer_data(1, 6, "def", 3);
    h = peer_receive();
    cr_expect_eq(h.command, 'o');
    cr_expect_eq(h.file_id, 1);
    cr_expect_eq(under_way->status, GATEWAY_TRANSFER_FINISHED);
    cr_expect(peer_receives_end());
    context_close();
}

/* Announced addresses. */

struct announcement {
    const char *host, *source, *expected; /* NULL: routes nothing */
};

static void check_announcement(const struct announcement *a)
{
    char text[ADDRESS_TEXT_SIZE];
    struct tcp_place place;

    session_announcing(a->host, a->source);
    if (a->expected == NULL) {
        cr_expect_eq(conn->route.family, ADDRESS_NONE, "%s from %s routes", a->host, a->source);
    } else {
        cr_expect_str_eq(address_text(text, &conn->route), a->expected, "%s from %s", a->host,
                         a->source);
        cr_assert_eq(tcp_directory_find_or_reserve(context.directory, &conn->route, &place),
                     ERR_OK);
        cr_expect_eq(place.session, conn->id);
    }
    peer_close();
    UNTIL(conn == NULL);
    is_conn_closed = false;
}

Test(session, an_announced_address_routes_only_if_it_is_the_peers_own)
{
    static const struct announcement table[] = {
        {"192.0.2.1:4711", "192.0.2.1", "192.0.2.1:4711"},
        {":4711", "192.0.2.1", "192.0.2.1:4711"},
        {"192.0.2.2:4711", "192.0.2.1", NULL},
        {"127.0.0.1:7771", "192.0.2.1", NULL},
        {"127.0.0.1:4711", "127.0.0.1", "127.0.0.1:4711"},
        {"node.example:4711", "192.0.2.1", NULL},
        {"192.0.2.1:0", "192.0.2.1", NULL},
        {"192.0.2.1:70000", "192.0.2.1", NULL},
        {"192.0.2.1:-1", "192.0.2.1", NULL},
        {"0.0.0.0:4711", "192.0.2.1", NULL},
        {"198.51.100.7:4711", "192.0.2.1", "198.51.100.7:4711"}, /* a trusted announcer, below */
        {"127.0.0.1:4711", "192.0.2.1", NULL},
        {"198.51.100.1:7000", "198.51.100.1", NULL}, /* we ourselves, below */
        {"\xff\x01:4711", "192.0.2.1", NULL},
    };
    struct address own;
    struct network_list *trusted = &context.settings.sessions.trusted_announcers;

    address_from_ip_text(&own, "198.51.100.1", 7000);
    tcp_directory_set_own(context.directory, &own, 1);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        trusted->count = i >= 10 && i <= 11;
        network_from_text(&trusted->networks[0], "192.0.2.0/24");
        check_announcement(&table[i]);
    }
    context_close();
}

Test(session, text_of_the_peer_is_escaped)
{
    struct session_info info;
    static const char hello[] = "192.0.2.1:9 http://\x1b[31m";

    session_accepted();
    peer_send('h', hello, sizeof hello - 1);
    cr_expect_eq(peer_receive().command, 'w');
    session_describe(conn, &info);
    cr_expect_str_eq(info.state, "CONNECTED");
    cr_expect_str_eq(info.announced, "192.0.2.1:9");
    cr_expect_null(strchr(info.idurl, '\x1b'));
    cr_expect_not(info.is_verified);
    context_close();
}

/* Memory. */

Test(session, an_idle_session_holds_no_buffer)
{
    session_connected(false);
    peer_file(1, "something");
    cr_expect_eq(peer_receive().command, 'o');
    send_made(1000);
    peer_ok(peer_receive().file_id);
    UNTIL(answered() == 1);
    cr_expect_null(conn->decoder.control.bytes);
    cr_expect_null(conn->writer.control.bytes);
    cr_expect_null(conn->writer.begun.bytes);
    cr_expect_null(conn->aborted);
    cr_expect_leq(sizeof *conn, 1024);
    context_close();
}

/* Waiters for the handshake. */

static struct host_request waiter;
static unsigned waiter_answers;

static void waiter_answered(struct message *m, void *owner)
{
    (void)m;
    (void)owner;
    waiter_answers++;
}

static void await(void)
{
    waiter = (struct host_request){
        .request = {.answer_to = loop_mailbox(context.loop), .on_answer = waiter_answered}};
    session_add_waiter(conn, &waiter);
}

Test(session, connect_to_is_answered_when_the_handshake_is_done)
{
    session_dialled();
    await();
    cr_expect_eq(peer_receive().command, 'h');
    cr_expect_eq(waiter_answers, 0);
    peer_send('w', "None", 4);
    UNTIL(waiter_answers == 1);
    cr_expect_eq(waiter.request.result, ERR_OK);
    cr_expect_not(waiter.answer, "the session was not there before");
    await();
    UNTIL(waiter_answers == 2);
    cr_expect(waiter.answer);
    cr_expect_eq(waiter.session, conn->id);
    context_close();
}

Test(session, connect_to_is_answered_with_the_reason_when_the_session_fails)
{
    session_dialled();
    await();
    cr_expect_eq(peer_receive().command, 'h');
    peer_close();
    UNTIL(waiter_answers == 1);
    cr_expect_eq(waiter.request.result, ERR_CLOSED);
    cr_expect_neq(waiter.error[0], '\0');
    context_close();
}
