/* The client thread with an unreachable gateway. tests/system/test_gateway.py tests a real one. */
#include "gateway_client/client.h"

#include "base/log.h"
#include "gateway_client/sent.h"

#include <criterion/criterion.h>
#include <stdio.h>

/* A client of a nonexistent socket. */
static struct gateway_client *client;
static struct settings settings;
static struct mailbox *box;
static unsigned answers;

static void open_client(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    settings_default(&settings);
    snprintf(settings.gateway.url, sizeof settings.gateway.url, "unix:/nowhere/at/all");
    settings.gateway.patience_s = 1;
    settings.gateway.queue_limit = 3;
    cr_assert_eq(mailbox_open(&box, 10, NULL), ERR_OK);
    cr_assert_eq(gateway_client_open(&client, &settings), ERR_OK);
    cr_assert_eq(gateway_client_start(client), ERR_OK);
}

static void close_client(void)
{
    gateway_client_stop(client);
    gateway_client_close(&client);
    while (mailbox_drain(box) > 0)
        ;
    mailbox_close(&box);
}

static void answered(struct message *m, void *owner)
{
    (void)m, (void)owner;
    answers++;
}

/* Polls the mailbox; the test's .timeout is the limit. */
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

Test(client, expires_a_registration_after_patience, .init = open_client, .fini = close_client,
     .timeout = 20)
{
    struct gateway_transfer in, out;

    begin(&in, false);
    begin(&out, true);
    cr_assert_eq(gateway_client_ops.register_file_receiving(client, &in), ERR_PENDING);
    cr_assert_eq(gateway_client_ops.register_file_sending(client, &out), ERR_PENDING);
    wait_for(2);
    cr_assert_eq(in.request.result, ERR_GATEWAY, "an incoming file needs an id");
    cr_assert_eq(out.request.result, ERR_OK, "an outgoing file does not");
    cr_assert_not(out.registration.is_registered);
    cr_assert_eq(out.registration.transfer_id, 42, "the transport's id");
}

Test(client, is_full_at_the_limit_but_still_accepts_calls, .init = open_client,
     .fini = close_client, .timeout = 20)
{
    struct gateway_transfer ended[4];

    for (int i = 0; i < 4; i++) {
        cr_assert_eq(gateway_client_ops.is_full(client), i >= 3);
        begin(&ended[i], false);
        ended[i].is_registered = true;
        cr_assert_eq(gateway_client_ops.receiving_ended(client, &ended[i]), ERR_PENDING);
    }
    cr_assert_eq(gateway_client_waiting(client), 4);
    gateway_client_shut(client, 10000);
    wait_for(4);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(ended[i].request.result, ERR_CLOSED, "not delivered");
    cr_assert_eq(gateway_client_waiting(client), 0);
}

Test(client, completes_calls_posted_after_shutdown, .init = open_client, .fini = close_client,
     .timeout = 20)
{
    struct gateway_transfer late;

    gateway_client_shut(client, 0);
    begin(&late, false);
    cr_assert_eq(gateway_client_ops.register_file_receiving(client, &late), ERR_PENDING);
    gateway_client_ops.sending_ended(client, &sent);
    wait_for(1);
    cr_assert_eq(late.request.result, ERR_CLOSED);
}
