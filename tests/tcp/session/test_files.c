/* File transfer of a CONNECTED session. Handshake and end of a session are in test_session.c. */
#include "tcp/tcp_support.h"

#include "base/clock.h"
#include "tcp/session/aborted.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FILES_IN = 40 };

TestSuite(session_files, .init = context_open, .fini = context_close, .timeout = 20);

static void hears(uint8_t command, int32_t file_id, const char *text)
{
    struct received_frame h = peer_receive();

    cr_expect_eq(h.command, command, "'%c' instead of '%c'", h.command, command);
    cr_expect_eq(h.file_id, file_id, "file %d instead of %d", h.file_id, file_id);
    if (text != NULL)
        cr_expect_str_eq(h.text, text);
}

static void is_alive(void)
{
    cr_expect(session_keep_alive(conn));
    hears('w', 0, NULL);
    cr_expect_eq(state(), ST_CONNECTED);
}

/* Incoming. */

Test(session_files, a_file_in_pieces_is_answered_when_it_is_in_the_inbox)
{
    session_connected(false);
    peer_data(5, 6, "abc", 3);
    peer_data(5, 6, "", 0);
    cr_expect(peer_receives_nothing());
    cr_expect_eq(inbox_partials(), 1);
    cr_expect_eq(inbox_files(), 0);
    peer_data(5, 6, "def", 3);
    hears('o', 5, NULL);
    UNTIL(played.unregistered == 1);
    cr_expect(is_file(played.last_path, "abcdef", 6));
    cr_expect_eq(played.finished, 1);
    cr_expect_eq(played.last_bytes, 6);
    cr_expect_str_eq(played.last_error, "");
    context_close();
}

Test(session_files, an_empty_file_arrives)
{
    session_connected(true);
    peer_data(5, 0, "", 0);
    hears('o', 5, NULL);
    UNTIL(played.finished == 1);
    cr_expect(is_file(played.last_path, "", 0));
    context_close();
}

Test(session_files, the_id_of_a_completed_file_is_a_new_file_also_in_the_same_segment)
{
    session_connected(false);
    gather_frames();
    peer_file(-3, "one");
    peer_file(-3, "two");
    send_gathered();
    hears('o', -3, NULL);
    hears('o', -3, NULL);
    UNTIL(played.finished == 2);
    cr_expect_eq(inbox_files(), 2);
    context_close();
}

Test(session_files, another_size_in_a_later_frame_fails_that_file_alone)
{
    session_connected(false);
    peer_data(1, 6, "abc", 3);
    peer_data(2, 6, "abc", 3);
    peer_data(1, 7, "def", 3);
    hears('a', 1, " another size in a later frame");
    peer_data(1, 6, "def", 3); /* dropped: no new file */
    peer_data(2, 6, "def", 3);
    hears('o', 2, NULL);
    UNTIL(played.unregistered == 2);
    cr_expect_eq(played.registered, 2);
    cr_expect_eq(played.finished, 1);
    context_close();
}

Test(session_files, more_bytes_than_announced_fail_that_file_before_one_is_written)
{
    session_connected(false);
    peer_data(1, 4, "abc", 3);
    peer_data(1, 4, "def", 3);
    hears('a', 1, " more bytes than announced");
    UNTIL(played.failed == 1);
    cr_expect_eq(played.last_bytes, 3);
    is_alive();
    context_close();
}

Test(session_files, a_first_frame_longer_than_its_file_is_refused)
{
    session_connected(false);
    peer_data(1, 2, "abc", 3);
    hears('a', 1, " more bytes than announced");
    UNTIL(played.failed == 1);
    context_close();
}

Test(session_files, a_negative_size_is_refused)
{
    session_connected(false);
    peer_data(1, -1, "abc", 3);
    hears('a', 1, " negative size");
    cr_expect_eq(played.registered, 0);
    is_alive();
    context_close();
}

Test(session_files, a_session_with_an_aborted_file_ends_when_no_other_is_under_way)
{
    session_connected(false);
    peer_data(2, 6, "abc", 3);
    peer_data(1, -1, "", 0);
    hears('a', 1, NULL);
    peer_data(2, 6, "def", 3);
    hears('o', 2, NULL);
    cr_expect(peer_receives_end(), "only so an old sender learns that the file failed");
    cr_expect_str_eq(conn->reason, "incoming file aborted");
    context_close();
}

Test(session_files, a_distant_keep_alive_does_not_delay_the_end_after_an_aborted_file)
{
    context.settings.sessions.keep_alive_s = 3600;
    session_connected(false);
    UNTIL(clock_boot_us() - conn->opened_us > 1100000); /* the timer is the keep-alive's */
    peer_data(1, -1, "", 0);
    hears('a', 1, NULL);
    cr_expect(peer_receives_end());
    context_close();
}

Test(session_files, a_sender_that_confirms_the_abort_keeps_the_session)
{
    session_connected(false);
    for (int i = 0; i < 200; i++) {
        peer_data(1, -1, "", 0);
        hears('a', 1, " negative size");
        peer_abort(1, "");
    }
    is_alive();
    cr_expect_eq(conn->aborted->count, 0);
    context_close();
}

Test(session_files, forty_unconfirmed_aborts_are_allowed_and_one_more_ends_the_session)
{
    session_connected(false);
    for (int i = 0; i < SESSION_ABORTED_MAX; i++)
        peer_data(i, -1, "", 0);
    for (int i = 0; i < SESSION_ABORTED_MAX; i++)
        hears('a', i, " negative size");
    cr_expect_eq(state(), ST_CONNECTED);
    peer_data(40, -1, "", 0);
    hears('a', 40, NULL);
    cr_expect(peer_receives_end());
    cr_expect_str_eq(conn->reason, "too many unconfirmed aborted files");
    context_close();
}

Test(session_files, forty_open_files_are_allowed_and_one_more_ends_the_session)
{
    session_connected(false);
    for (int i = 0; i < FILES_IN; i++)
        peer_data(i, 10, "abc", 3);
    UNTIL(played.registered == FILES_IN);
    peer_data(40, 10, "abc", 3);
    for (int i = 0; i < FILES_IN; i++)
        hears('a', i, " too many incoming files at once");
    cr_expect(peer_receives_end());
    UNTIL(played.failed == FILES_IN);
    cr_expect_eq(inbox_partials(), 0);
    context_close();
}

Test(session_files, a_thousand_sequential_files_do_not_reach_the_limit_of_open_files)
{
    session_connected(false);
    for (int i = 0; i < 1000; i++) {
        peer_file(i, "small");
        hears('o', i, NULL);
    }
    UNTIL(played.finished == 1000 && context.transfer.transfers == 0);
    cr_expect_eq(inbox_files(), 1000);
    context_close();
}

Test(session_files, a_file_keeps_its_id_until_it_is_reported_each_way)
{
    int32_t out;

    session_connected(false);
    peer_data(1000, 9, "slow", 4);
    UNTIL(context.transfer.transfers == 1);
    cr_expect_eq(SLIST_FIRST(&context.transfer.ids.used)->live, 1);
    send_made(10);
    out = peer_receive().file_id;
    cr_expect_eq(SLIST_FIRST(&context.transfer.ids.used)->live, 2);
    peer_data(1000, 9, "files", 5);
    hears('o', 1000, NULL);
    UNTIL(context.transfer.transfers == 1);
    cr_expect_eq(SLIST_FIRST(&context.transfer.ids.used)->live, 1);
    peer_ok(out);
    UNTIL(context.transfer.transfers == 0);
    cr_expect_eq(SLIST_FIRST(&context.transfer.ids.used)->live, 0);
    context_close();
}

Test(session_files, without_a_transfer_id_a_file_is_refused)
{
    session_connected(false);
    context.transfer.ids.present = (struct transfer_ids){0};
    context.transfer.ids.is_requesting = true; /* the journal does not answer */
    peer_file(1, "small");
    cr_expect_eq(peer_receive().command, 'a');
    cr_expect_eq(played.registered, 0);
    context.transfer.ids.is_requesting = false;
    context_close();
}

Test(session_files, an_abort_of_the_sender_fails_the_file_with_its_text)
{
    session_connected(false);
    gather_frames();
    peer_data(1, 10, "abc", 3);
    peer_abort(1, " changed my \x1b mind");
    send_gathered();
    UNTIL(played.failed == 1);
    cr_expect_str_eq(played.last_error, "changed my %1B mind");
    UNTIL(context.transfer.transfers == 0);
    cr_expect_eq(inbox_partials(), 0);
    is_alive();
    peer_data(2, 10, "abc", 3);
    peer_abort(2, "");
    UNTIL(played.failed == 2);
    cr_expect_str_eq(played.last_error, "aborted by the peer");
    context_close();
}

Test(session_files, ok_and_abort_of_an_unknown_file_are_ignored)
{
    session_connected(false);
    peer_ok(17);
    peer_abort(17, " what");
    is_alive();
    context_close();
}

static void bad_frame(const char *frame, size_t length)
{
    session_connected(false);
    peer_data(1, 10, "abc", 3);
    peer_data(2, 10, "abc", 3);
    UNTIL(inbox_partials() == 2);
    gather_frames();
    peer_write(frame, length);
    peer_file(3, "not used any more");
    send_gathered();
    hears('a', 1, NULL);
    hears('a', 2, NULL);
    cr_expect(peer_receives_end());
    UNTIL(played.failed == 2);
    cr_expect_eq(played.registered, 2);
}

Test(session_files, a_bad_version_ends_the_session_and_its_files)
{
    bad_frame("\0\0\0\x02"
              "2d",
              6);
    context_close();
}

Test(session_files, an_unknown_command_ends_the_session_and_its_files)
{
    bad_frame("\0\0\0\x02"
              "1D",
              6);
    context_close();
}

Test(session_files, a_frame_too_long_ends_the_session_and_its_files)
{
    bad_frame("\0\x01\x86\xa0"
              "1d",
              6);
    context_close();
}

Test(session_files, receiving_switched_off_refuses_each_file)
{
    session_connected(false);
    context.settings.tcp_transport.is_receiving_enabled = false;
    peer_data(1, 3, "abc", 3);
    hears('a', 1, " receiving is disabled on this node");
    cr_expect_eq(played.registered, 0);
    context_close();
}

Test(session_files, a_disconnect_tells_the_peer_of_each_file_both_ways)
{
    struct sent_file *s;
    struct received_frame h;

    session_connected(false);
    peer_data(1, 10, "abc", 3);
    s = send_made(100);
    h = peer_receive();
    cr_expect_eq(h.command, 'd');
    session_core_disconnect(conn, "disconnecting");
    hears('a', 1, " disconnecting");
    hears('a', h.file_id, " disconnecting");
    cr_expect(peer_receives_end());
    UNTIL(s->answers == 1 && played.failed == 2);
    cr_expect_str_eq(s->error, "disconnecting");
    context_close();
}

Test(session_files, a_session_lost_mid_file_fails_it_both_ways)
{
    struct sent_file *s;

    session_connected(true);
    peer_data(1, 10, "abc", 3);
    s = send_made(100);
    cr_expect_eq(peer_receive().command, 'd');
    peer_close();
    UNTIL(conn == NULL && s->answers == 1 && played.failed == 2);
    cr_expect_str_eq(s->error, "connection closed");
    UNTIL(context.transfer.transfers == 0);
    cr_expect_eq(inbox_files(), 0);
    context_close();
}

Test(session_files, a_complete_file_is_committed_although_its_session_ends)
{
    played.is_late = true;
    session_connected(false);
    peer_file(1, "whole");
    UNTIL(played.pending == 1);
    peer_close();
    UNTIL(conn == NULL);
    cr_expect_eq(context.transfer.transfers, 1);
    gateway_answer();
    UNTIL(played.pending == 1);
    cr_expect_eq(played.finished, 1);
    cr_expect(is_file(played.last_path, "whole", 5));
    context_close();
}

/* The gateway answers late, or refuses. */

Test(session_files, bytes_are_accepted_before_the_gateway_answers)
{
    played.is_late = true;
    session_connected(false);
    peer_data(1, 6, "abc", 3);
    peer_data(1, 6, "def", 3);
    cr_expect(peer_receives_nothing());
    gateway_answer();
    hears('o', 1, NULL);
    cr_expect(is_file(played.last_path, "abcdef", 6));
    context_close();
}

Test(session_files, a_file_aborted_before_the_gateway_answers_is_still_unregistered)
{
    played.is_late = true;
    session_connected(false);
    peer_data(1, 6, "abc", 3);
    UNTIL(played.pending == 1);
    peer_abort(1, " no");
    UNTIL(conn->incoming.count == 0);
    cr_expect_eq(played.unregistered, 0);
    gateway_answer();
    UNTIL(played.failed == 1);
    is_alive();
    context_close();
}

Test(session_files, a_gateway_that_refuses_a_file_ends_the_session)
{
    played.register_result = ERR_GATEWAY;
    session_connected(false);
    peer_data(1, 6, "abc", 3);
    hears('a', 1, NULL);
    cr_expect(peer_receives_end());
    UNTIL(context.transfer.transfers == 0);
    cr_expect_eq(inbox_partials(), 0);
    context_close();
}

Test(session_files, a_gateway_that_refuses_late_ends_the_session_of_a_complete_file)
{
    played.is_late = true;
    played.register_result = ERR_GATEWAY;
    session_connected(false);
    peer_file(1, "whole");
    UNTIL(played.pending == 1);
    gateway_answer();
    hears('a', 1, NULL);
    cr_expect(peer_receives_end());
    UNTIL(context.transfer.transfers == 0);
    cr_expect_eq(inbox_files(), 0);
    context_close();
}

Test(session_files, a_send_that_the_gateway_refuses_fails_and_the_session_lives)
{
    struct sent_file *s;

    played.register_result = ERR_GATEWAY;
    session_connected(false);
    s = send_made(10);
    UNTIL(s->answers == 1);
    cr_expect_str_eq(s->error, err_text(ERR_GATEWAY));
    cr_expect_eq(played.cancelled, 1);
    is_alive();
    context_close();
}

Test(session_files, a_send_that_the_gateway_does_not_know_goes_on_and_is_not_unregistered)
{
    struct sent_file *s;

    played.is_unregistered_ok = true;
    session_connected(false);
    s = send_made(10);
    peer_ok(peer_receive().file_id);
    UNTIL(s->answers == 1);
    cr_expect_eq(s->status, GATEWAY_TRANSFER_FINISHED);
    context_close();
}

Test(session_files, a_session_that_ends_before_the_gateway_answers_fails_the_send_once)
{
    struct sent_file *s;

    played.is_late = true;
    session_connected(false);
    s = send_made(10);
    UNTIL(played.pending == 1);
    peer_close();
    UNTIL(conn == NULL);
    gateway_answer();
    UNTIL(s->answers == 1);
    cr_expect_str_eq(s->error, "connection closed");
    context_close();
}

/* Timeouts. */

Test(session_files, a_stalled_file_is_aborted)
{
    context.settings.sessions.stall_window_s = 1;
    session_connected(false);
    peer_data(1, 10, "abc", 3);
    hears('a', 1, " stalled: below [sessions] stall-bytes-per-s");
    UNTIL(played.failed == 1);
    context_close();
}

Test(session_files, a_file_without_an_ok_before_the_timeout_fails)
{
    struct sent_file *s;
    int32_t file_id;

    context.settings.sessions.ok_timeout_s = 1;
    session_connected(false);
    s = send_made(10);
    file_id = peer_receive().file_id;
    hears('a', file_id, " no ok from the peer within [sessions] ok-timeout-s");
    UNTIL(s->answers == 1);
    peer_ok(file_id);
    is_alive();
    context_close();
}

Test(session_files, a_peer_not_read_because_of_gateway_backpressure_does_not_time_out)
{
    struct sent_file *s;
    int32_t file_id;
    uint64_t begun_ms = loop_now_ms(context.loop);

    context.settings.sessions.stall_window_s = context.settings.sessions.ok_timeout_s = 1;
    session_connected(false);
    s = send_made(10);
    file_id = peer_receive().file_id;
    peer_data(1, 10, "abc", 3);
    UNTIL(played.registered == 2);
    played.is_full = true;
    peer_data(1, 10, "defghij", 7);
    peer_ok(file_id);
    UNTIL(loop_now_ms(context.loop) - begun_ms > 2500);
    cr_expect_eq(played.failed + s->answers, 0);
    played.is_full = false;
    hears('o', 1, NULL);
    UNTIL(s->answers == 1);
    cr_expect_eq(s->status, GATEWAY_TRANSFER_FINISHED);
    context_close();
}

Test(session_files, too_many_pending_removals_of_partial_files_pause_new_ones)
{
    session_connected(false);
    context.transfer.discards = 1000000;
    peer_data(1, 3, "abc", 3);
    for (int i = 0; i < 20; i++)
        turn();
    cr_expect_eq(played.registered, 0);
    context.transfer.discards = 0;
    hears('o', 1, NULL);
    context_close();
}

Test(session_files, cancelling_an_incoming_file_tells_its_sender)
{
    session_connected(false);
    peer_data(1, 10, "abc", 3);
    UNTIL(played.registered == 1);
    cr_expect_not(session_files_cancel_receiving(conn, 4711));
    cr_expect(session_files_cancel_receiving(
        conn, TAILQ_FIRST(&conn->incoming.head)->transfer.transfer_id));
    hears('a', 1, " cancelled");
    UNTIL(played.failed == 1);
    context_close();
}
