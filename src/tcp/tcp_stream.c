/* What both directions share. */
#include "tcp/tcp_stream.h"

#include "tcp/tcp_stream_priv.h"

#include "base/contract.h"

#include <stdio.h>
#include <string.h>

bool tcp_send_is_asked_for(const struct cancel_request *r, const struct send_request *send,
                           uint32_t transfer_id)
{
    const struct contact *contact = &send->route.contact;

    CONTRACT(send->filename != NULL);
    if (r->transfer_id != 0)
        return r->transfer_id == transfer_id;
    if (r->send_id != 0)
        return r->send_id == send->id;
    return strcmp(r->contact.host, contact->host) == 0 && r->contact.port == contact->port &&
           strcmp(r->filename, send->filename) == 0;
}

void tcp_stream_fill(struct gateway_transfer *t, struct tcp_home *home, const struct tcp_peer *peer,
                     const char *idurl, message_fn *on_answer)
{
    t->request.answer_to = loop_mailbox(home->loop);
    t->request.on_answer = on_answer;
    t->proto = "tcp";
    t->idurl = idurl;
    t->session = peer->session;
    address_text(t->host, &peer->address);
    t->transfer_id = tcp_home_next_id(home);
}

void tcp_stream_set_failed(struct gateway_transfer *t, const char *reason)
{
    t->status = TRANSFER_FAILED;
    snprintf(t->error, sizeof t->error, "%s", reason);
}

void tcp_stream_tell(struct tcp_home *home, enum event_kind kind, struct gateway_transfer *t)
{
    event_emit(home->events, gateway_transfer_event(kind, t));
}
