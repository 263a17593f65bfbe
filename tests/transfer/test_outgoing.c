#include "transfer/outgoing.h"

#include "base/file_state.h"
#include "transfer/transfer_support.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(transfer_outgoing, .timeout = 60, .init = context_open);

static struct transfer_outgoing_list list = {.head = TAILQ_HEAD_INITIALIZER(list.head)};

/* The sender of the requests. */
static struct {
    unsigned answers;
    enum gateway_transfer_status status;
    uint64_t sent_bytes;
    char error[GATEWAY_TRANSFER_ERROR_SIZE];
} requester;

static void answered(struct message *m, void *owner)
{
    struct send_request *send = (struct send_request *)(void *)m;

    (void)owner;
    requester.answers++;
    requester.status = send->status;
    requester.sent_bytes = send->sent_bytes;
    snprintf(requester.error, sizeof requester.error, "%s", send->error);
    gateway_send_request_free(&send);
}

static struct send_request *request_for(const char *path)
{
    struct send_request *send = calloc(1, sizeof *send);

    cr_assert_not_null(send);
    *send = (struct send_request){
        .request = {.answer_to = loop_mailbox(context.loop), .on_answer = answered},
        .id = 12,
        .route = {.contact = {.proto = "pigeon", .host = "10.0.0.2", .port = 7771}},
        .filename = strdup(path)};
    return send;
}

static void begin(int32_t file_id, const char *path)
{
    transfer_outgoing_new(&context, &peer, &callbacks, &heard, &list, file_id, request_for(path));
}

/* The next file, when all can be read. */
static struct transfer_outgoing *next(void)
{
    struct transfer_outgoing *out;
    uint64_t settle_ms;

    do {
        settle_ms = 0;
        TAILQ_FOREACH (out, &list.head, link)
            if (outbox_settles_in_ms(&out->file) > 0)
                settle_ms = 1;
        sched_yield();
    } while (settle_ms > 0);
    out = transfer_outgoing_next(&list, &settle_ms);
    cr_assert_not_null(out);
    return out;
}

Test(transfer_outgoing, a_file_just_changed_is_read_later)
{
    struct transfer_outgoing *out;
    uint64_t settle_ms = 0;

    begin(1, make_file("file", "four", 4));
    out = TAILQ_FIRST(&list.head);
    do { /* repeated if the machine takes a second for it */
        out->is_settled = false;
        out->file.state.st_ctim = file_state_clock();
        out->file.state.st_ctim.tv_sec++;
    } while (transfer_outgoing_next(&list, &settle_ms) != NULL);
    cr_expect_gt(settle_ms, 0);
    transfer_outgoing_fail(out, "cancelled");
    UNTIL(requester.answers == 1);
    cr_expect_str_eq(requester.error, "cancelled");
    context_close();
}

/* Sends the next piece, which ends at `*at`. Returns the file's id. */
static int32_t send_piece(uint32_t most, uint64_t *at, char *to)
{
    struct transfer_outgoing *out = next();
    uint32_t bytes = transfer_outgoing_next_bytes(out, most);

    cr_assert_eq(transfer_outgoing_read(out, to, bytes), ERR_OK);
    to[bytes] = '\0';
    *at += bytes;
    transfer_outgoing_sent(out, bytes, *at);
    return out->file_id;
}

Test(transfer_outgoing, files_take_turns_piece_by_piece)
{
    static const struct {
        int32_t file_id;
        const char *text;
    } expected[] = {{1, "abc"}, {2, "123"}, {1, "def"}, {2, "4"}, {1, "g"}};
    uint64_t at = 0, settle_ms = 0;
    char text[8];

    begin(1, make_file("first", "abcdefg", 7));
    begin(2, make_file("second", "1234", 4));
    cr_expect_eq(heard.sendable, 2);
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        cr_expect_eq(send_piece(3, &at, text), expected[i].file_id);
        cr_expect_str_eq(text, expected[i].text);
    }
    cr_expect_null(transfer_outgoing_next(&list, &settle_ms));
    cr_expect_eq(settle_ms, 0, "nothing is waited for");
    while (!TAILQ_EMPTY(&list.head))
        transfer_outgoing_finish(TAILQ_FIRST(&list.head));
    UNTIL(requester.answers == 2);
    cr_expect_eq(told.finished, 2);
    context_close();
}

Test(transfer_outgoing, is_finished_by_its_ok_only)
{
    struct transfer_outgoing *out;
    uint64_t at = 1000;
    char text[8];

    begin(4, make_file("file", "four", 4));
    send_piece(8, &at, text);
    out = TAILQ_FIRST(&list.head);
    cr_expect_eq(out->phase, OUTGOING_OK_AWAITED);
    cr_expect_eq(out->end_at, 1004);
    cr_expect_eq(told.finished, 0);
    transfer_outgoing_finish(out);
    UNTIL(requester.answers == 1);
    cr_expect_eq(requester.status, GATEWAY_TRANSFER_FINISHED);
    cr_expect_eq(requester.sent_bytes, 4);
    cr_expect_str_eq(told.last_proto, "carrier");
    cr_expect_eq(list.count, 0);
    context_close();
}

Test(transfer_outgoing, times_out_without_an_ok)
{
    struct transfer_outgoing *out;
    uint64_t at = 0;
    char text[8];

    begin(4, make_file("file", "four", 4));
    out = TAILQ_FIRST(&list.head);
    cr_expect_not(transfer_outgoing_is_timed_out(out), "nothing was sent");
    send_piece(8, &at, text);
    cr_expect_not(transfer_outgoing_is_timed_out(out), "just sent");
    out->last_byte_ms -= settings.sessions.ok_timeout_s * 1000ull;
    cr_expect(transfer_outgoing_is_timed_out(out));
    transfer_outgoing_restart_timeout(out);
    cr_expect_not(transfer_outgoing_is_timed_out(out), "blocked by us");
    transfer_outgoing_fail(out, "no ok from the peer within [sessions] ok-timeout-s");
    UNTIL(requester.answers == 1);
    context_close();
}

Test(transfer_outgoing, an_empty_file_is_one_piece_of_nothing)
{
    uint64_t at = 0;
    char text[8];

    begin(1, make_file("empty", "", 0));
    cr_expect_eq(send_piece(8, &at, text), 1);
    cr_expect_str_eq(text, "");
    transfer_outgoing_finish(TAILQ_FIRST(&list.head));
    UNTIL(requester.answers == 1);
    cr_expect_eq(requester.status, GATEWAY_TRANSFER_FINISHED);
    context_close();
}

Test(transfer_outgoing, a_file_that_is_not_there_is_answered_at_once)
{
    begin(1, "/nonexistent/file");
    cr_expect_eq(list.count, 0);
    cr_expect_eq(told.failed, 1);
    UNTIL(requester.answers == 1);
    cr_expect_str_eq(requester.error, "file not exist");
    context_close();
}

Test(transfer_outgoing, fails_when_the_gateway_refuses_the_registration)
{
    told.refusal = ERR_FULL;
    begin(1, make_file("file", "four", 4));
    cr_expect_eq(list.count, 0);
    cr_expect_eq(heard.unsendable, 1);
    UNTIL(requester.answers == 1);
    cr_expect_str_eq(requester.error, err_text(ERR_FULL));
    context_close();
}

Test(transfer_outgoing, a_send_that_was_not_started_is_reported_with_its_contacts_protocol)
{
    transfer_outgoing_fail_send(context.gateway, context.events, request_for("/file"), "10.0.0.2",
                                "no such route");
    UNTIL(requester.answers == 1);
    cr_expect_eq(requester.status, GATEWAY_TRANSFER_FAILED);
    cr_expect_str_eq(requester.error, "no such route");
    cr_expect_str_eq(told.last_proto, "pigeon");
    context_close();
}

static struct cancel_request by_host(const char *host, uint16_t port, const char *path)
{
    struct cancel_request r = {.contact = {.port = port}};

    snprintf(r.contact.host, sizeof r.contact.host, "%s", host);
    snprintf(r.filename, sizeof r.filename, "%s", path);
    return r;
}

Test(transfer_outgoing, a_cancel_picks_by_transfer_by_send_or_by_host_and_file)
{
    struct send_request *send = request_for("/file");
    const struct {
        struct cancel_request r;
        bool is_it;
    } rows[] = {
        {{.transfer_id = 3}, true},
        {{.transfer_id = 4, .send_id = 12}, false},
        {{.send_id = 12}, true},
        {{.send_id = 3}, false},
        {by_host("10.0.0.2", 7771, "/file"), true},
        {by_host("10.0.0.3", 7771, "/file"), false},
        {by_host("10.0.0.2", 7772, "/file"), false},
        {by_host("10.0.0.2", 7771, "/other"), false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_eq(transfer_outgoing_matches(&rows[i].r, send, 3), rows[i].is_it, "row %zu", i);
    gateway_send_request_free(&send);
    context_close();
}
