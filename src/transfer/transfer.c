#include "transfer/transfer.h"

#include "transfer/transfer_internal.h"

#include <stdio.h>

enum {
    DISCARDS_MAX = 2000, /* per context: partial files not yet removed by a slow disk */
};

bool transfer_is_idle(const struct transfer_context *context)
{
    return context->transfers == 0 && !context->ids.is_requesting;
}

bool transfer_is_backpressured(const struct transfer_context *context)
{
    return context->discards >= DISCARDS_MAX || gateway_is_full(context->gateway);
}

void transfer_fill(struct gateway_transfer *t, struct transfer_context *context,
                   const struct transfer_peer *peer, const char *idurl, message_fn *on_answer)
{
    t->request.answer_to = loop_mailbox(context->loop);
    t->request.on_answer = on_answer;
    t->proto = context->proto;
    t->idurl = idurl;
    t->session = peer->session;
    address_text(t->host, &peer->address);
    t->transfer_id = transfer_ids_next(&context->ids);
}

void transfer_set_failed(struct gateway_transfer *t, const char *reason)
{
    t->status = GATEWAY_TRANSFER_FAILED;
    snprintf(t->error, sizeof t->error, "%s", reason);
}

void transfer_emit(struct transfer_context *context, enum event_kind kind,
                   struct gateway_transfer *t)
{
    event_emit(context->events, gateway_transfer_event(kind, t));
}
