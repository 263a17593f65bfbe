#include "gateway/gateway.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { QUEUE_LIMIT = 8 };

static struct event_sink *sink;
static struct mailbox *box;
static struct gateway_builtin *builtin;
static struct event *received[QUEUE_LIMIT];
static unsigned received_count;
static struct gateway_transfer transfer;

static void record_event(struct message *m, void *owner)
{
    (void)owner;
    received[received_count++] = (struct event *)m;
}

static void set_up(void)
{
    cr_assert_eq(event_sink_open(&sink), ERR_OK);
    cr_assert_eq(mailbox_open(&box, QUEUE_LIMIT, NULL), ERR_OK);
    event_sink_connect(sink, box, record_event);
    cr_assert_eq(gateway_builtin_open(&builtin, sink), ERR_OK);
    transfer = (struct gateway_transfer){.proto = "tcp",
                                         .host = "1.2.3.4:7771",
                                         .idurl = "http://peer/id.xml",
                                         .filename = "/inbox/a.in",
                                         .session = 5,
                                         .request_id = 6,
                                         .size_bytes = 1000,
                                         .transfer_id = 77};
}

static void clean_up(void)
{
    for (unsigned i = 0; i < received_count; i++)
        event_free(&received[i]);
    gateway_builtin_close(&builtin);
    mailbox_close(&box);
    event_sink_close(&sink);
}

static const struct event *last(unsigned count)
{
    mailbox_drain(box);
    cr_assert_eq(received_count, count);
    return received[count - 1];
}

Test(gateway_builtin, accepts_the_proposed_id_of_every_file, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    const struct gateway_ops *ops = &gateway_builtin_ops;

    cr_assert_eq(ops->register_file_receiving(builtin, &transfer), ERR_OK);
    cr_assert(transfer.is_registered);
    cr_assert_eq(transfer.transfer_id, 77);
    cr_assert_eq(ops->receiving_ended(builtin, &transfer), ERR_OK);
    transfer.is_registered = false;
    cr_assert_eq(ops->register_file_sending(builtin, &transfer), ERR_OK);
    cr_assert(transfer.is_registered);
    cr_assert_eq(transfer.transfer_id, 77);
    ops->sending_ended(builtin, &transfer);
    cr_assert_not(ops->is_full(builtin));
}

static void check_transfer_event(enum event_kind kind, const char *status, const char *error)
{
    struct event *e = gateway_transfer_event(kind, &transfer);

    cr_assert_not_null(e);
    cr_assert_eq(e->kind, kind);
    cr_assert_eq(e->transfer_id, 77);
    cr_assert_eq(e->session, 5);
    cr_assert_eq(e->request_id, 6);
    cr_assert_eq(e->size_bytes, 1000);
    cr_assert_eq(e->done_bytes, 10);
    cr_assert_str_eq(e->host, "1.2.3.4:7771");
    cr_assert_str_eq(e->idurl, "http://peer/id.xml");
    cr_assert_str_eq(e->path, "/inbox/a.in");
    cr_assert_str_eq(e->proto, "tcp");
    cr_assert_str_eq(e->status, status);
    cr_assert_str_eq(e->error, error);
    event_free(&e);
}

Test(gateway_transfer, is_copied_to_its_event, .init = set_up, .fini = clean_up, .timeout = 5)
{
    transfer.done_bytes = 10;
    check_transfer_event(EVENT_RECEIVING_STARTED, "", "");
    check_transfer_event(EVENT_SENDING_PROGRESS, "", "");
    check_transfer_event(EVENT_RECEIVING_ENDED, "finished", "");
    transfer.status = GATEWAY_TRANSFER_FAILED;
    snprintf(transfer.error, sizeof transfer.error, "the peer went away");
    check_transfer_event(EVENT_SENDING_ENDED, "failed", "the peer went away");
}

Test(gateway_builtin, emits_the_state_of_receiving, .init = set_up, .fini = clean_up, .timeout = 5)
{
    gateway_builtin_ops.transport_initialized(builtin, "tcp");
    gateway_builtin_ops.receiving_started(builtin, "tcp", "0.0.0.0:7771");
    gateway_builtin_ops.receiving_failed(builtin, "tcp", ERR_BUSY, "port 7771 is in use");
    gateway_builtin_ops.disconnected(builtin, "tcp", "stopped");
    last(3);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(received[i]->kind, EVENT_RECEIVING_STATE);
        cr_assert_str_eq(received[i]->proto, "tcp");
    }
    cr_assert_str_eq(received[0]->to_state, "receiving-started");
    cr_assert_str_eq(received[0]->host, "0.0.0.0:7771");
    cr_assert_str_eq(received[1]->to_state, "receiving-failed");
    cr_assert_str_eq(received[1]->error, "port 7771 is in use");
    cr_assert_str_eq(received[2]->to_state, "disconnected");
    cr_assert_str_eq(received[2]->error, "stopped");
}

Test(gateway_builtin, uses_the_status_words_of_bitdust, .timeout = 5)
{
    cr_assert_str_eq(gateway_transfer_status_word(GATEWAY_TRANSFER_FINISHED), "finished");
    cr_assert_str_eq(gateway_transfer_status_word(GATEWAY_TRANSFER_FAILED), "failed");
}

Test(gateway_builtin, requires_an_id, .init = set_up, .signal = SIGABRT, .timeout = 5)
{
    transfer.transfer_id = 0;
    gateway_builtin_ops.register_file_receiving(builtin, &transfer);
}

Test(transport_ops, frees_a_send_request_with_its_strings, .timeout = 5)
{
    struct send_request *r = calloc(1, sizeof *r);

    r->filename = strdup("/a");
    r->remote_idurl = strdup("b");
    r->description = strdup("c");
    gateway_send_request_free(&r);
    cr_assert_null(r);
    gateway_send_request_free(&r);
}

Test(transport_ops, frees_the_result_of_a_list, .timeout = 5)
{
    struct list_request r = {.count = 1, .total = 9};

    r.sessions = calloc(1, sizeof *r.sessions);
    gateway_list_request_fini(&r);
    cr_assert_null(r.sessions);
    cr_assert_eq(r.count, 0);
    gateway_list_request_fini(&r);
}
