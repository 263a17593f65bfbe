/* The gateway_ops of a remote gateway: whoever calls copies what is to be told and posts it. */
#include "base/log.h"
#include "gateway_client/client.h"
#include "gateway_client/client_internal.h"
#include "gateway_client/delivery.h"

static enum err post_for(struct gate *gate, enum gate_job_kind kind, struct gateway_transfer *t)
{
    struct gate_job *job = gate_job_of(kind, t);

    if (job == NULL)
        return ERR_NO_MEMORY;
    job->transfer = t;
    gate_post(gate, job);
    return ERR_PENDING;
}

static void post_notice(struct gate *gate, enum gate_call call, const char *proto, const char *host,
                        const char *error)
{
    const char *const text[GATE_TEXT_COUNT] = {
        [TEXT_PROTO] = proto, [TEXT_HOST] = host, [TEXT_ERROR] = error};
    struct gate_job *job = gate_job_new(JOB_NOTICE, text);

    if (job == NULL) {
        log_error("gateway: %s is not told: %s", gate_call_method(call), err_text(ERR_NO_MEMORY));
        return;
    }
    job->call = call;
    gate_post(gate, job);
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
    struct gate_job *job = gate_job_of(JOB_END, transfer);

    if (job == NULL)
        log_error("gateway: the end of the sending of %s is not told: %s", transfer->filename,
                  err_text(ERR_NO_MEMORY));
    else
        gate_post(self, job);
}

static bool is_full(void *self)
{
    const struct gate *gate = self;

    return gate_waiting(gate) >= gate->settings.gateway.queue_limit ||
           atomic_load(&gate->waiting_bytes) >= GATE_WAITING_BYTES_MAX;
}

const struct gateway_ops gate_ops = {
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
