#include "gateway/gateway.h"

#include "base/contract.h"
#include "base/log.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define BUILTIN_MAGIC 0x6275696cu

/* Nothing changes after it was opened: that is why any thread may call without a lock. */
struct gateway_builtin {
    uint32_t magic;
    struct event_sink *events;
};

enum err gateway_builtin_open(struct gateway_builtin **out, struct event_sink *events)
{
    struct gateway_builtin *builtin = calloc(1, sizeof *builtin);

    if (builtin == NULL)
        return ERR_NO_MEMORY;
    builtin->magic = BUILTIN_MAGIC;
    builtin->events = events;
    *out = builtin;
    return ERR_OK;
}

void gateway_builtin_close(struct gateway_builtin **builtin)
{
    free(*builtin);
    *builtin = NULL;
}

static struct gateway_builtin *from_self(void *self)
{
    struct gateway_builtin *builtin = self;

    MAGIC_CHECK(builtin, BUILTIN_MAGIC);
    return builtin;
}

/* As much of `from` as fits; for fields that only people read. */
static void copy_cut(char *to, size_t room, const char *from)
{
    size_t length = strnlen(from == NULL ? "" : from, room - 1);

    if (length > 0)
        memcpy(to, from, length);
    to[length] = '\0';
}

static void tell_state(void *self, const char *state, const char *proto, const char *host,
                       const char *what)
{
    struct event *e = event_new(EVENT_RECEIVING_STATE, NULL, NULL, what);

    if (e == NULL)
        return;
    copy_cut(e->proto, sizeof e->proto, proto);
    copy_cut(e->host, sizeof e->host, host);
    copy_cut(e->to_state, sizeof e->to_state, state);
    event_emit(from_self(self)->events, e);
}

static void transport_initialized(void *self, const char *proto)
{
    (void)from_self(self);
    log_debug("transport %s is ready for its first connect", proto);
}

static void receiving_started(void *self, const char *proto, const char *host)
{
    tell_state(self, "receiving-started", proto, host, NULL);
}

static void receiving_failed(void *self, const char *proto, const char *error)
{
    tell_state(self, "receiving-failed", proto, NULL, error);
}

static void disconnected(void *self, const char *proto, const char *result)
{
    tell_state(self, "disconnected", proto, NULL, result);
}

static struct event *transfer_event(enum event_kind kind, const struct gateway_transfer *t,
                                    const char *error)
{
    struct event *e = event_new(kind, t->idurl, t->filename, error);

    if (e == NULL)
        return NULL;
    e->session = t->session;
    e->request_id = t->request_id;
    e->transfer_id = t->transfer_id;
    e->size_bytes = t->size_bytes;
    e->done_bytes = t->done_bytes;
    copy_cut(e->proto, sizeof e->proto, t->proto);
    copy_cut(e->host, sizeof e->host, t->host);
    return e;
}

static enum err tell_started(void *self, enum event_kind kind, struct gateway_transfer *t)
{
    struct gateway_builtin *builtin = from_self(self);

    CONTRACT(t->transfer_id >= 1 && t->transfer_id <= TRANSFER_ID_MAX);
    t->is_registered = true;
    event_emit(builtin->events, transfer_event(kind, t, NULL));
    return ERR_OK;
}

static void tell_ended(void *self, enum event_kind kind, const struct gateway_transfer *t,
                       enum transfer_status status)
{
    struct event *e = transfer_event(kind, t, t->error);

    if (e != NULL)
        copy_cut(e->status, sizeof e->status, transfer_status_word(status));
    event_emit(from_self(self)->events, e);
}

static enum err register_file_sending(void *self, struct gateway_transfer *transfer)
{
    return tell_started(self, EVENT_SENDING_STARTED, transfer);
}

static enum err unregister_file_sending(void *self, struct gateway_transfer *transfer)
{
    tell_ended(self, EVENT_SENDING_ENDED, transfer, transfer->status);
    return ERR_OK;
}

static enum err register_file_receiving(void *self, struct gateway_transfer *transfer)
{
    return tell_started(self, EVENT_RECEIVING_STARTED, transfer);
}

static enum err unregister_file_receiving(void *self, struct gateway_transfer *transfer)
{
    tell_ended(self, EVENT_RECEIVING_ENDED, transfer, transfer->status);
    return ERR_OK;
}

static void cancelled_file_sending(void *self, const struct gateway_transfer *transfer)
{
    tell_ended(self, EVENT_SENDING_ENDED, transfer, TRANSFER_FAILED);
}

const struct gateway_ops gateway_builtin_ops = {
    .name = "built-in",
    .transport_initialized = transport_initialized,
    .receiving_started = receiving_started,
    .receiving_failed = receiving_failed,
    .disconnected = disconnected,
    .register_file_sending = register_file_sending,
    .unregister_file_sending = unregister_file_sending,
    .register_file_receiving = register_file_receiving,
    .unregister_file_receiving = unregister_file_receiving,
    .cancelled_file_sending = cancelled_file_sending,
};
