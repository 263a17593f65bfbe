/* The gateway_ops of a remote gateway: the calling thread copies the data and posts it. */
#include "base/log.h"
#include "gateway_client/client.h"
#include "gateway_client/client_internal.h"
#include "gateway_client/delivery.h"

static enum err post_for(struct gateway_client *client, enum gateway_client_delivery_kind kind,
                         struct gateway_transfer *t)
{
    struct gateway_client_delivery *delivery = gateway_client_delivery_of(kind, t);
    enum err e = delivery == NULL ? ERR_NO_MEMORY : gateway_client_post(client, delivery, t);

    return e == ERR_OK ? ERR_PENDING : e;
}

static void post_notice(struct gateway_client *client, enum gateway_client_call call,
                        const char *proto, const char *host, const char *error)
{
    const char *const text[GATEWAY_CLIENT_TEXT_COUNT] = {[GATEWAY_CLIENT_TEXT_PROTO] = proto,
                                                         [GATEWAY_CLIENT_TEXT_HOST] = host,
                                                         [GATEWAY_CLIENT_TEXT_ERROR] = error};
    struct gateway_client_delivery *delivery =
        gateway_client_delivery_new(GATEWAY_CLIENT_DELIVERY_NOTICE, text);
    enum err e = ERR_NO_MEMORY;

    if (delivery != NULL) {
        delivery->call = call;
        e = gateway_client_post(client, delivery, NULL);
    }
    if (e != ERR_OK)
        log_error("gateway: cannot send %s: %s", gateway_client_call_method(call), err_text(e));
}

static void transport_initialized(void *self, const char *proto)
{
    post_notice(self, GATEWAY_CLIENT_CALL_TRANSPORT_INITIALIZED, proto, NULL, NULL);
}

static void receiving_started(void *self, const char *proto, const char *host)
{
    post_notice(self, GATEWAY_CLIENT_CALL_RECEIVING_STARTED, proto, host, NULL);
}

/* BitDust has a fixed text for a busy port. */
static void receiving_failed(void *self, const char *proto, enum err e, const char *error)
{
    post_notice(self, GATEWAY_CLIENT_CALL_RECEIVING_FAILED, proto, NULL,
                e == ERR_BUSY ? "port is busy" : error);
}

static void disconnected(void *self, const char *proto, const char *result)
{
    post_notice(self, GATEWAY_CLIENT_CALL_DISCONNECTED, proto, NULL, result);
}

static enum err register_file(void *self, struct gateway_transfer *transfer)
{
    return post_for(self, GATEWAY_CLIENT_DELIVERY_REGISTER, transfer);
}

static enum err receiving_ended(void *self, struct gateway_transfer *transfer)
{
    return post_for(self, GATEWAY_CLIENT_DELIVERY_END, transfer);
}

static void sending_ended(void *self, const struct gateway_transfer *transfer)
{
    struct gateway_client_delivery *delivery =
        gateway_client_delivery_of(GATEWAY_CLIENT_DELIVERY_END, transfer);
    enum err e = delivery == NULL ? ERR_NO_MEMORY : gateway_client_post(self, delivery, NULL);

    if (e != ERR_OK)
        log_error("gateway: cannot report the end of sending %s: %s", transfer->filename,
                  err_text(e));
}

static bool is_full(void *self)
{
    const struct gateway_client *client = self;

    return gateway_client_waiting(client) >= client->settings.gateway.queue_limit ||
           atomic_load(&client->waiting_bytes) >= GATEWAY_CLIENT_WAITING_BYTES_MAX;
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
