/* Outgoing files of a CONNECTED session. */
#include "tcp/tcp_support.h"

#include "base/log.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(tcp_connection_sends, .init = context_open, .fini = context_close, .timeout = 20);

enum { CHUNK = 96 * 1024, LONG = 3 * CHUNK + 1000, FILES_OUT = 20 };

/* The peer receives the frames of one file until it is complete. */
static int32_t takes_file(size_t size)
{
    size_t got = 0;
    int32_t file_id = 0;

    do {
        struct received_frame h = peer_receive();

        cr_assert_eq(h.command, 'd');
        cr_assert(got == 0 || h.file_id == file_id);
        cr_expect_eq(h.size, (int32_t)size);
        for (size_t i = 0; i < h.length; i++)
            cr_assert_eq(h.bytes[i], byte_at(got + i), "byte %zu", got + i);
        file_id = h.file_id;
        got += h.length;
    } while (got < size);
    cr_expect_eq(got, size);
    return file_id;
}

static void finishes(size_t size)
{
    struct sent_file *s = send_made(size);

    peer_ok(takes_file(size));
    UNTIL(s->answers == 1);
    cr_expect_eq(s->status, GATEWAY_TRANSFER_FINISHED, "%s", s->error);
    cr_expect_eq(s->sent_bytes, size);
    cr_expect_str_eq(s->error, "");
}

/* Small socket buffers: sending blocks while the peer does not read. */
static void narrow(void)
{
    int size = 4096;

    cr_assert_eq(setsockopt(conn->link.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size), 0);
    cr_assert_eq(setsockopt(peer_fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
}

static void is_alive(void)
{
    cr_expect(session_keep_alive(conn));
    cr_expect_eq(peer_receive().command, 'w');
}

Test(tcp_connection_sends, files_of_every_size_around_a_chunk_arrive)
{
    static const size_t sizes[] = {0,         1,         16383, 16384, CHUNK - 1, CHUNK,
                                   CHUNK + 1, 2 * CHUNK, LONG,  99989, 99990};

    session_connected(true);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        finishes(sizes[i]);
    cr_expect_eq(played.finished, sizeof sizes / sizeof *sizes);
    context_close();
}

Test(tcp_connection_sends, a_read_buffer_smaller_than_a_chunk_sends_all_the_same)
{
    context.scratch_size = 16 * 1024;
    session_connected(true);
    finishes(10);
    finishes(50 * 1024);
    finishes(LONG);
    context_close();
}

Test(tcp_connection_sends, a_narrow_socket_gets_frames_in_pieces)
{
    session_connected(true);
    narrow();
    finishes(LONG);
    finishes(10);
    context_close();
}

Test(tcp_connection_sends, a_peer_that_does_not_read_for_a_while_gets_it_all_later)
{
    struct sent_file *s[30];
    unsigned got = 0;

    session_connected(true);
    narrow();
    for (int i = 0; i < 30; i++)
        s[i] = send_made(9000);
    UNTIL(!session_link_is_writable(&conn->link));
    for (int i = 0; i < 5; i++)
        turn();
    while (got < 30) {
        struct received_frame h = peer_receive();

        cr_assert_eq(h.command, 'd');
        cr_expect_eq(h.length, 9000);
        peer_ok(h.file_id);
        got++;
    }
    UNTIL(answered() == 30);
    for (int i = 0; i < 30; i++)
        cr_expect_eq(s[i]->status, GATEWAY_TRANSFER_FINISHED);
    context_close();
}

Test(tcp_connection_sends, a_peer_that_never_reads_is_disconnected)
{
    struct sent_file *s;

    context.settings.sessions.unread_limit_s = 1;
    context.settings.sessions.linger_ms = 50;
    session_connected(true);
    narrow();
    s = send_made(1 << 20);
    UNTIL(conn == NULL);
    UNTIL(s->answers == 1);
    cr_expect_str_eq(s->error, "the peer does not read");
    context_close();
}

Test(tcp_connection_sends, a_pause_without_sends_does_not_count_against_the_peer)
{
    session_connected(true);
    context.settings.sessions.unread_limit_s = 1;
    conn->writer.progress_ms -= 5000;                /* nothing was sent for a while */
    cr_assert(session_keep_alive(conn));             /* waits for its turn */
    conn->timer.fire(&conn->timer, conn->timer.ctx); /* and the check runs before it */
    cr_expect_eq(state(), ST_CONNECTED);
    cr_expect_eq(peer_receive().command, 'w');
    context_close();
}

Test(tcp_connection_sends, twenty_are_in_flight_and_the_next_follows_each_ok)
{
    int32_t ids[25];

    session_connected(false);
    for (int i = 0; i < 25; i++)
        send_made(10);
    for (int i = 0; i < FILES_OUT; i++)
        ids[i] = takes_file(10);
    cr_expect(peer_receives_nothing());
    cr_expect_eq(conn->waiting.count, 5);
    for (int i = FILES_OUT; i < 25; i++) {
        peer_ok(ids[i - FILES_OUT]);
        ids[i] = takes_file(10);
    }
    for (int i = 5; i < 25; i++)
        peer_ok(ids[i]);
    UNTIL(answered() == 25);
    cr_expect_eq(played.finished, 25);
    for (int i = 0; i < 25; i++)
        for (int j = 0; j < i; j++)
            cr_expect_neq(ids[i], ids[j]);
    context_close();
}

Test(tcp_connection_sends, files_take_turns_a_chunk_each)
{
    int32_t first, second;

    session_connected(false);
    send_made(2 * CHUNK + 1);
    send_made(2 * CHUNK + 1);
    first = peer_receive().file_id;
    second = peer_receive().file_id;
    cr_expect_neq(first, second);
    cr_expect_eq(peer_receive().file_id, first);
    cr_expect_eq(peer_receive().file_id, second);
    cr_expect_eq(peer_receive().file_id, first);
    cr_expect_eq(peer_receive().file_id, second);
    peer_ok(second);
    peer_ok(first);
    UNTIL(answered() == 2);
    cr_expect_eq(played.finished, 2);
    context_close();
}

Test(tcp_connection_sends, the_queue_of_pending_sends_is_bounded)
{
    context.settings.sessions.queue_limit = 2;
    session_dialled();
    for (int i = 0; i < 3; i++)
        send_made(1);
    UNTIL(answered() == 1);
    cr_expect_str_eq(sent[2].error, err_text(ERR_FULL));
    context_close();
}

Test(tcp_connection_sends, an_ok_before_the_end_fails_that_file_alone)
{
    struct sent_file *s;
    struct received_frame h;

    session_connected(true);
    narrow();
    s = send_made(LONG);
    UNTIL(!session_link_is_writable(&conn->link));
    peer_ok(TAILQ_FIRST(&conn->outgoing.head)->file_id);
    UNTIL(s->answers == 1);
    cr_expect_str_eq(s->error, "ok before the end");
    h = peer_receive();
    cr_expect_eq(h.command, 'd');
    cr_expect_eq(h.length, CHUNK, "the frame begun is completed");
    h = peer_receive();
    cr_expect_eq(h.command, 'a');
    cr_expect_str_eq(h.text, " ok before the end");
    finishes(10);
    context_close();
}

Test(tcp_connection_sends, an_abort_of_the_receiver_fails_the_file_with_its_text)
{
    struct sent_file *s;
    int32_t file_id;

    session_connected(true);
    s = send_made(10);
    file_id = takes_file(10);
    peer_abort(file_id, " no room here");
    UNTIL(s->answers == 1);
    cr_expect_str_eq(s->error, "no room here");
    cr_expect_eq(peer_receive().command, 'a', "so that the receiver may forget the id");
    peer_ok(file_id);
    finishes(10);
    context_close();
}

Test(tcp_connection_sends, an_id_of_either_side_is_another_file)
{
    struct sent_file *s;
    int32_t file_id;

    session_connected(true);
    s = send_made(10);
    file_id = takes_file(10);
    peer_data(file_id, 6, "abc", 3);
    peer_abort(file_id, " the peer's own");
    UNTIL(played.failed == 1);
    cr_expect_eq(s->answers, 0, "an abort means the sender's file first");
    peer_ok(file_id);
    UNTIL(s->answers == 1);
    cr_expect_eq(s->status, GATEWAY_TRANSFER_FINISHED);
    context_close();
}

Test(tcp_connection_sends, a_file_that_cannot_be_sent_has_a_reason_and_the_session_continues)
{
    char path[128];
    struct sent_file *s;

    session_connected(true);
    s = send_path("/nonexistent/file", false);
    UNTIL(s->answers == 1);
    cr_expect_str_eq(s->error, "file not exist");
    s = send_path(scratch_folder, false);
    UNTIL(s->answers == 1);
    cr_expect_not_null(strstr(s->error, "regular"), "%s", s->error);
    snprintf(path, sizeof path, "%s", make_file("huge", 1));
    cr_assert_eq(truncate(path, (off_t)1 << 31), 0);
    s = send_path(path, false);
    UNTIL(s->answers == 1);
    cr_expect_not_null(strstr(s->error, "2,147,483,647"), "%s", s->error);
    cr_expect_eq(played.cancelled, 3);
    cr_expect_eq(played.registered, 0);
    is_alive();
    context_close();
}

Test(tcp_connection_sends, a_file_that_shrinks_is_aborted_after_the_frame_begun)
{
    struct sent_file *s;
    struct received_frame h;
    char path[128];

    session_connected(true);
    narrow();
    snprintf(path, sizeof path, "%s", make_file("shrinks", LONG));
    s = send_path(path, false);
    UNTIL(!session_link_is_writable(&conn->link));
    cr_assert_eq(truncate(path, 100), 0);
    h = peer_receive();
    cr_expect_eq(h.command, 'd');
    cr_expect_eq(h.length, CHUNK);
    for (size_t i = 0; i < CHUNK; i++)
        cr_assert_eq(h.bytes[i], byte_at(i));
    h = peer_receive();
    cr_expect_eq(h.command, 'a');
    cr_expect_str_eq(h.text, " the file became shorter while it was sent");
    UNTIL(s->answers == 1);
    cr_expect_eq(s->status, GATEWAY_TRANSFER_FAILED);
    finishes(LONG);
    context_close();
}

Test(tcp_connection_sends, a_file_that_shrinks_before_its_first_frame_is_never_heard_of)
{
    struct sent_file *s;
    char path[128];

    played.is_late = true;
    session_connected(true);
    snprintf(path, sizeof path, "%s", make_file("shrinks", 10));
    s = send_path(path, false);
    UNTIL(played.pending == 1);
    cr_assert_eq(truncate(path, 5), 0);
    gateway_answer();
    UNTIL(s->answers == 1);
    cr_expect_str_eq(s->error, "the file became shorter while it was sent");
    cr_expect(peer_receives_nothing());
    context_close();
}

Test(tcp_connection_sends, a_file_that_grows_before_its_first_frame_is_never_heard_of)
{
    char path[128];
    FILE *file;

    played.is_late = true;
    session_connected(true);
    snprintf(path, sizeof path, "%s", make_file("grows", 10));
    send_path(path, false);
    UNTIL(played.pending == 1);
    file = fopen(path, "a");
    fputs("more", file);
    fclose(file);
    gateway_answer();
    UNTIL(answered() == 1);
    cr_expect_str_eq(sent[0].error, "the file changed while it was sent");
    cr_expect(peer_receives_nothing());
    context_close();
}

/* Cancels. */

static struct cancel_request cancel_of(const struct sent_file *s)
{
    return (struct cancel_request){.send_id = s->r->id};
}

static unsigned many_answers;

static void one_of_many_answered(struct message *m, void *owner)
{
    (void)owner;
    cr_expect_str_eq(((struct send_request *)(void *)m)->error, "cancelled");
    many_answers++;
}

/* With a linear search for each cancel this would take minutes. */
Test(tcp_connection_sends, each_of_very_many_pending_sends_can_be_cancelled)
{
    enum { MANY = 100000 };
    struct send_request *many = calloc(MANY, sizeof *many);
    char path[] = "/nowhere";

    cr_assert_not_null(many);
    session_connected(true);
    log_set_level(LOG_LEVEL_ERROR);
    context.settings.sessions.queue_limit = MANY;
    context.settings.sessions.files_out_limit = 0;
    for (unsigned i = 0; i < MANY; i++) {
        many[i] = (struct send_request){
            .request = {.on_answer = one_of_many_answered}, .id = i + 1, .filename = path};
        session_files_send(conn, &many[i]);
    }
    cr_assert_eq(conn->waiting.count, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        /* from both ends and the middle */
        struct cancel_request r = {.send_id = 1 + (i * 7919ul) % MANY};

        cr_assert(session_files_cancel_sending(conn, &r), "%u", i);
        cr_assert_not(session_files_cancel_sending(conn, &r), "%u: once", i);
    }
    cr_expect_eq(many_answers, MANY);
    cr_expect_eq(conn->waiting.count, 0);
    context_close();
    free(many);
}

/* The remaining sends keep their order. */
Test(tcp_connection_sends, sends_behind_a_cancelled_one_keep_their_order)
{
    struct sent_file *s[7];
    struct cancel_request by_id, by_transfer = {.transfer_id = 4711};

    session_connected(true);
    context.settings.sessions.files_out_limit = 0;
    for (unsigned i = 0; i < 6; i++)
        s[i] = send_made(100 + i);
    cr_expect_not(session_files_cancel_sending(conn, &by_transfer), "none has a transfer id");
    for (unsigned i = 1; i < 6; i += 2) {
        by_id = cancel_of(s[i]);
        cr_expect(session_files_cancel_sending(conn, &by_id));
    }
    context.settings.sessions.files_out_limit = FILES_OUT;
    s[6] = send_made(106);
    for (unsigned i = 0; i < 7; i += 2)
        peer_ok(takes_file(100 + i));
    UNTIL(answered() == 7);
    for (unsigned i = 0; i < 7; i++)
        cr_expect_str_eq(s[i]->error, i % 2 == 0 ? "" : "cancelled", "%u", i);
    context_close();
}

Test(tcp_connection_sends, a_cancel_takes_effect_at_a_frames_end)
{
    struct sent_file *s;
    struct cancel_request r;
    struct received_frame h;

    session_connected(true);
    narrow();
    s = send_made(LONG);
    UNTIL(!session_link_is_writable(&conn->link));
    r = cancel_of(s);
    cr_expect(session_files_cancel_sending(conn, &r));
    cr_expect_not(session_files_cancel_sending(conn, &r), "only once");
    h = peer_receive();
    cr_expect_eq(h.length, CHUNK);
    h = peer_receive();
    cr_expect_eq(h.command, 'a');
    cr_expect_str_eq(h.text, " cancelled");
    UNTIL(s->answers == 1);
    cr_expect_str_eq(s->error, "cancelled");
    finishes(LONG);
    context_close();
}

Test(tcp_connection_sends, a_cancel_comes_too_late_once_the_last_frame_has_begun)
{
    struct sent_file *s;
    struct cancel_request r;
    int32_t file_id;

    session_connected(true);
    s = send_made(10);
    file_id = takes_file(10);
    r = cancel_of(s);
    cr_expect_not(session_files_cancel_sending(conn, &r));
    peer_ok(file_id);
    UNTIL(s->answers == 1);
    cr_expect_eq(s->status, GATEWAY_TRANSFER_FINISHED);
    context_close();
}

Test(tcp_connection_sends, a_pending_send_is_cancelled_without_a_frame_to_the_peer)
{
    struct cancel_request r;

    session_dialled();
    r = cancel_of(send_made(10));
    cr_expect(session_files_cancel_sending(conn, &r));
    UNTIL(answered() == 1);
    cr_expect_eq(peer_receive().command, 'h');
    peer_send('w', "None", 4);
    UNTIL(state() == ST_CONNECTED);
    cr_expect(peer_receives_nothing());
    context_close();
}

Test(tcp_connection_sends, a_send_cancelled_before_the_gateway_answers_is_unregistered_once)
{
    struct sent_file *s;
    struct cancel_request r;

    played.is_late = true;
    session_connected(true);
    s = send_made(10);
    UNTIL(played.pending == 1);
    r = cancel_of(s);
    cr_expect(session_files_cancel_sending(conn, &r));
    cr_expect(peer_receives_nothing());
    gateway_answer();
    UNTIL(s->answers == 1);
    cr_expect_str_eq(s->error, "cancelled");
    cr_expect(peer_receives_nothing());
    context_close();
}

Test(tcp_connection_sends, a_cancel_by_host_and_name_skips_a_file_that_was_sent_already)
{
    struct cancel_request r = {.contact = {.host = "127.0.0.1"}};
    char path[128];
    int32_t file_id;

    session_connected(true);
    snprintf(path, sizeof path, "%s", make_file("twice", 10));
    send_path(path, false);
    file_id = takes_file(10);
    played.is_late = true;
    send_path(path, false);
    UNTIL(played.pending == 1);
    r.contact.port = conn->peer.port;
    snprintf(r.filename, sizeof r.filename, "%s", path);
    cr_expect(session_files_cancel_sending(conn, &r));
    gateway_answer();
    UNTIL(sent[1].answers == 1);
    cr_expect_eq(sent[0].answers, 0);
    peer_ok(file_id);
    UNTIL(sent[0].answers == 1);
    cr_expect_eq(sent[0].status, GATEWAY_TRANSFER_FINISHED);
    context_close();
}

/* Single sends. */

Test(tcp_connection_sends, a_session_opened_for_a_single_file_ends_with_it)
{
    struct sent_file *s;

    session_dialled();
    conn->is_single = true;
    s = send_path(make_file("single", 10), true);
    cr_expect_eq(peer_receive().command, 'h');
    peer_send('w', "None", 4);
    peer_ok(takes_file(10));
    cr_expect(peer_receives_end());
    UNTIL(s->answers == 1);
    cr_expect_eq(s->status, GATEWAY_TRANSFER_FINISHED);
    cr_expect_eq(played.registered, 0, "a single file is not registered");
    context_close();
}

Test(tcp_connection_sends, a_send_on_a_single_session_keeps_it)
{
    session_dialled();
    conn->is_single = true;
    send_path(make_file("single", 10), true);
    send_made(10);
    cr_expect_eq(peer_receive().command, 'h');
    peer_send('w', "None", 4);
    peer_ok(takes_file(10));
    peer_ok(takes_file(10));
    UNTIL(answered() == 2);
    is_alive();
    context_close();
}

Test(tcp_connection_sends, both_directions_at_once_on_one_session)
{
    static uint8_t bytes[50000];
    unsigned oks = 0, files = 0;

    session_connected(true);
    for (int i = 0; i < 10; i++)
        send_made(50000);
    for (int i = 0; i < 10; i++)
        peer_data(i, sizeof bytes, bytes, sizeof bytes);
    while (oks < 10 || files < 10) {
        struct received_frame h = peer_receive();

        if (h.command == 'o')
            oks++;
        else if (++files <= 10)
            peer_ok(h.file_id);
    }
    UNTIL(played.finished == 20);
    context_close();
}
