/* The gateway_ops of a remote gateway: whoever calls copies what is to be told and posts it. */
#include "base/log.h"
#include "gateway_client/client.h"
#include "gateway_client/client_internal.h"
#include "gateway_client/delivery.h"

static enum err post_for(struct gateway_client *gate, enum gateway_client_delivery_kind kind,
                         struct gateway_transfer *t)
{
    struct gateway_client_delivery *job = gateway_client_delivery_of(kind, t);

    if (job == NULL)
        return ERR_NO_MEMORY;
    job->transfer = t;
    gateway_client_post(gate, job);
    return ERR_PENDING;
}

static void post_notice(struct gateway_client *gate, enum gateway_client_call call,
                        const char *proto, const char *host, const char *error)
{
    const char *const text[GATEWAY_CLIENT_TEXT_COUNT] = {
        [TEXT_PROTO] = proto, [TEXT_HOST] = host, [TEXT_ERROR] = error};
    struct gateway_client_delivery *job = gateway_client_delivery_new(JOB_NOTICE, text);

    if (job == NULL) {
        log_error("gateway: %s is not told: %s", gateway_client_delivery_method(call),
                  err_text(ERR_NO_MEMORY));
        return;
    }
    job->call = call;
    gateway_client_post(gate, job);
}

static void transport_initialized(void *self, const char *proto)
{
    post_notice(self, CALL_TRANSPORT_INITIALIZED, proto, NULL, NULL);
}

static void receiving_started(void *self, const char *proto, const char *host)
{
    post_notice(self, CALL_RECEIVING_STARTED, proto, host, NULL);
}

/* A busy port has a word of its own in BitDust. */
static void receiving_failed(void *self, const char *proto, enum err e, const char *error)
{
    post_notice(self, CALL_RECEIVING_FAILED, proto, NULL, e == ERR_BUSY ? "port is busy" : error);
}

static void disconnected(void *self, const char *proto, const char *result)
{
    post_notice(self, CALL_DISCONNECTED, proto, NULL, result);
}

static enum err register_file(void *self, struct gateway_transfer *transfer)
{
    return post_for(self, JOB_REGISTER, transfer);
}

static enum err receiving_ended(void *self, struct gateway_transfer *transfer)
{
    return post_for(self, JOB_END, transfer);
}

static void sending_ended(void *self, const struct gateway_transfer *transfer)
{
    struct gateway_client_delivery *job = gateway_client_delivery_of(JOB_END, transfer);

    if (job == NULL)
        log_error("gateway: the end of the sending of %s is not told: %s", transfer->filename,
                  err_text(ERR_NO_MEMORY));
    else
        gateway_client_post(self, job);
}

static bool is_full(void *self)
{
    const struct gateway_client *gate = self;

    return gateway_client_waiting(gate) >= gate->settings.gateway.queue_limit ||
           atomic_load(&gate->waiting_bytes) >= GATEWAY_CLIENT_WAITING_BYTES_MAX;
}

const struct gateway_ops gateway_client_ops = {
    .name = "remote",
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
