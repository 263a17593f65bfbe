#include "gateway/gateway_ops.h"

#include <stdio.h>

const char *gateway_transfer_status_word(enum gateway_transfer_status status)
{
    return status == GATEWAY_TRANSFER_FINISHED ? "finished" : "failed";
}

/* Truncates; for fields that are only displayed. */
static void copy_cut(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%.*s", (int)size - 1, from == NULL ? "" : from);
}

struct event *gateway_transfer_event(enum event_kind kind, const struct gateway_transfer *transfer)
{
    bool is_end = kind == EVENT_SENDING_ENDED || kind == EVENT_RECEIVING_ENDED;
    struct event *e =
        event_new(kind, transfer->idurl, transfer->filename, is_end ? transfer->error : NULL);

    if (e == NULL)
        return NULL;
    e->session = transfer->session;
    e->request_id = transfer->request_id;
    e->transfer_id = transfer->transfer_id;
    e->size_bytes = transfer->size_bytes;
    e->done_bytes = transfer->done_bytes;
    e->acknowledged_bytes = transfer->acknowledged_bytes;
    copy_cut(e->proto, sizeof e->proto, transfer->proto);
    copy_cut(e->host, sizeof e->host, transfer->host);
    if (is_end)
        copy_cut(e->status, sizeof e->status, gateway_transfer_status_word(transfer->status));
    return e;
}
