/* The gate's calls as documents, and its thread with nobody at the other end. How it gets on with a
 * real gateway, in all its moods, is for tests/system/test_gateway.py. */
#include "base/log.h"
#include "gateway_client/client.h"
#include "gateway_client/client_internal.h"
#include "gateway_client/delivery.h"
#include "gateway_client/encode.h"
#include "rpc/document.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct gateway_transfer sent = {.proto = "tcp",
                                       .host = "192.0.2.1:7771",
                                       .asked_host = "node.example:7771",
                                       .idurl = "http://host/%2541.xml",
                                       .filename = "/out/file",
                                       .description = "note",
                                       .request_id = 7,
                                       .size_bytes = 1000,
                                       .done_bytes = 10,
                                       .is_sending = true,
                                       .status = TRANSFER_FAILED,
                                       .error = "connection failed",
                                       .transfer_id = 42};

/* The document of `call` for `t`; static, until the next one. */
static const char *document(enum gateway_client_call call, const struct gateway_transfer *t)
{
    static char *text;
    struct gateway_client_delivery *job = gateway_client_delivery_of(JOB_END, t);
    size_t length = 0;

    free(text);
    text = NULL;
    cr_assert_not_null(job);
    job->call = call;
    cr_assert_eq(gateway_client_encode_write(job, &text, &length), ERR_OK);
    cr_assert_eq(strlen(text), length);
    free(job);
    return text;
}

static void has(const char *text, const char *part)
{
    cr_assert_not_null(strstr(text, part), "no '%s' in %s", part, text);
}

Test(gate, gives_an_identity_back_as_it_was, .init = rpc_library_init, .fini = rpc_library_fini,
     .timeout = 5)
{
    has(document(CALL_REGISTER_SENDING, &sent), "<string>http://host/%41.xml</string>");
}

Test(gate, leaves_out_an_identity_that_is_no_text, .init = rpc_library_init,
     .fini = rpc_library_fini, .timeout = 5)
{
    struct gateway_transfer t = sent;
    const char *text;

    t.idurl = "http://host/%00%FF";
    text = document(CALL_REGISTER_RECEIVING, &t);
    has(text, "<string></string>");
    cr_assert_null(strstr(text, "http://host"));
}

Test(gate, gives_the_host_of_a_cancelled_send_byte_for_byte, .init = rpc_library_init,
     .fini = rpc_library_fini, .timeout = 5)
{
    has(document(CALL_CANCELLED_SENDING, &sent), "bm9kZS5leGFtcGxlOjc3NzE="); /* base64 */
    has(document(CALL_CANCELLED_SENDING, &sent), "<string>connection failed</string>");
}

Test(gate, tells_of_no_error_with_nil, .init = rpc_library_init, .fini = rpc_library_fini,
     .timeout = 5)
{
    struct gateway_transfer t = sent;

    t.status = TRANSFER_FINISHED;
    t.error[0] = '\0';
    has(document(CALL_FILE_RESULT, &t), "nil/>");
    has(document(CALL_FILE_RESULT, &t), "<string>finished</string>");
    has(document(CALL_FILE_RESULT, &t), "<i4>7</i4>");
    has(document(CALL_UNREGISTER_SENDING, &t), "<i4>42</i4>");
}

Test(gate, has_an_odd_path_as_base64_and_a_long_size_as_i8, .init = rpc_library_init,
     .fini = rpc_library_fini, .timeout = 5)
{
    struct gateway_transfer t = sent;

    t.filename = "/out/\xff";
    t.size_bytes = UINT64_C(5000000000);
    has(document(CALL_REGISTER_SENDING, &t), "L291dC//");
    has(document(CALL_REGISTER_SENDING, &t), "i8>5000000000</");
}

/* A gate with a socket that is not there. */
static struct gateway_client *gate;
static struct settings settings;
static struct mailbox *box;
static unsigned answers;

static void open_gate(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    settings_default(&settings);
    snprintf(settings.gateway.url, sizeof settings.gateway.url, "unix:/nowhere/at/all");
    settings.gateway.patience_s = 1;
    settings.gateway.queue_limit = 3;
    cr_assert_eq(mailbox_open(&box, 10, NULL), ERR_OK);
    cr_assert_eq(gateway_client_open(&gate, &settings), ERR_OK);
    cr_assert_eq(gateway_client_start(gate), ERR_OK);
}

static void close_gate(void)
{
    gateway_client_stop(gate);
    gateway_client_close(&gate);
    while (mailbox_drain(box) > 0)
        ;
    mailbox_close(&box);
}

static void answered(struct message *m, void *owner)
{
    (void)m, (void)owner;
    answers++;
}

/* Runs when the box rings; the test's own .timeout bounds it. */
static void wait_for(unsigned count)
{
    while (answers < count)
        mailbox_drain(box);
}

static void begin(struct gateway_transfer *t, bool is_sending)
{
    *t = sent;
    t->is_sending = is_sending;
    t->request = (struct request){.answer_to = box, .on_answer = answered};
}

Test(gate, gives_up_a_registration_when_patience_is_over, .init = open_gate, .fini = close_gate,
     .timeout = 20)
{
    struct gateway_transfer in, out;

    begin(&in, false);
    begin(&out, true);
    cr_assert_eq(gateway_client_ops.register_file_receiving(gate, &in), ERR_PENDING);
    cr_assert_eq(gateway_client_ops.register_file_sending(gate, &out), ERR_PENDING);
    wait_for(2);
    cr_assert_eq(in.request.result, ERR_GATEWAY, "a file that comes in needs its id");
    cr_assert_eq(out.request.result, ERR_OK, "one that goes out does not");
    cr_assert_not(out.registration.is_registered);
    cr_assert_eq(out.registration.transfer_id, 42, "ours");
}

Test(gate, is_full_at_its_bound_and_takes_what_comes_all_the_same, .init = open_gate,
     .fini = close_gate, .timeout = 20)
{
    struct gateway_transfer ended[4];

    for (int i = 0; i < 4; i++) {
        cr_assert_eq(gateway_client_ops.is_full(gate), i >= 3);
        begin(&ended[i], false);
        ended[i].is_registered = true;
        cr_assert_eq(gateway_client_ops.receiving_ended(gate, &ended[i]), ERR_PENDING);
    }
    cr_assert_eq(gateway_client_waiting(gate), 4);
    gateway_client_shut(gate, 10000);
    wait_for(4);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(ended[i].request.result, ERR_CLOSED, "still owed");
    cr_assert_eq(gateway_client_waiting(gate), 0);
}

Test(gate, answers_what_comes_after_its_end, .init = open_gate, .fini = close_gate, .timeout = 20)
{
    struct gateway_transfer late;

    gateway_client_shut(gate, 0);
    begin(&late, false);
    cr_assert_eq(gateway_client_ops.register_file_receiving(gate, &late), ERR_PENDING);
    gateway_client_ops.sending_ended(gate, &sent);
    wait_for(1);
    cr_assert_eq(late.request.result, ERR_CLOSED);
}
