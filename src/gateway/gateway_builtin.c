#include "gateway/gateway.h"

#include "base/contract.h"
#include "base/log.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define BUILTIN_MAGIC 0x6275696cu

/* Immutable after it was opened, so any thread can call it without a lock. */
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

/* Truncates; for fields that are only displayed. */
static void copy_cut(char *to, size_t size, const char *from)
{
    const char *text = from == NULL ? "" : from;
    size_t length = strnlen(text, size - 1);

    memcpy(to, text, length);
    to[length] = '\0';
}

static void emit_state(void *self, const char *state, const char *proto, const char *host,
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
    emit_state(self, "receiving-started", proto, host, NULL);
}

static void receiving_failed(void *self, const char *proto, enum err e, const char *error)
{
    (void)e;
    emit_state(self, "receiving-failed", proto, NULL, error);
}

static void disconnected(void *self, const char *proto, const char *result)
{
    emit_state(self, "disconnected", proto, NULL, result);
}

/* Accepts the id. The transports emit the events of files, independent of the gateway. */
static enum err register_file(void *self, struct gateway_transfer *t)
{
    (void)from_self(self);
    CONTRACT(t->transfer_id >= 1 && t->transfer_id <= TRANSFER_ID_MAX);
    t->is_registered = true;
    return ERR_OK;
}

static enum err receiving_ended(void *self, struct gateway_transfer *t)
{
    (void)from_self(self);
    (void)t;
    return ERR_OK;
}

static void sending_ended(void *self, const struct gateway_transfer *t)
{
    (void)from_self(self);
    (void)t;
}

static bool is_full(void *self)
{
    (void)from_self(self);
    return false;
}

const struct gateway_ops gateway_builtin_ops = {
    .name = "built-in",
    .transport_initialized = transport_initialized,
    .receiving_started = receiving_started,
    .receiving_failed = receiving_failed,
    .disconnected = disconnected,
    .register_file_sending = register_file,
    .register_file_receiving = register_file,
    .receiving_ended = receiving_ended,
    .sending_ended = sending_ended,
    .is_full = is_full,
};
