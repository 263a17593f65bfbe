/* The client thread: posts pending calls, up to GATEWAY_CLIENT_CONNECTIONS at once, and executes
 * the decisions made from their replies (delivery.h). While the gateway is unreachable all calls
 * stay queued; after each pause one of them is posted as a probe. */
#include "gateway_client/client.h"

#include "base/contract.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "gateway_client/client_internal.h"
#include "gateway_client/delivery.h"
#include "gateway_client/encode.h"
#include "gateway_client/http_pool.h"
#include "gateway_client/queue.h"
#include "rpc/document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAILBOX_LIMIT = 1024, /* not enforced for calls, see gateway_client_ops.is_full */
    PAUSE_FIRST_MS = 200,
    PAUSE_MAX_MS = 5000,
};

struct gateway_client_init {
    struct message message; /* first */
    bool has_file_result;
    char url[];
};

/* Decisions. */

static void end(struct gateway_client_queue_entry *entry, enum err result)
{
    struct gateway_client *client = entry->client;
    const struct gateway_client_delivery *d = entry->delivery;
    struct gateway_transfer *t = entry->transfer;

    loop_cancel_timer(client->loop, &entry->retry);
    loop_cancel_timer(client->loop, &entry->expiry);
    if (d->kind == GATEWAY_CLIENT_DELIVERY_NOTICE)
        client->queue.has_notice_due = false;
    if (t != NULL && d->kind == GATEWAY_CLIENT_DELIVERY_REGISTER)
        t->registration = (struct gateway_registration){
            .transfer_id = d->transfer_id,
            .is_registered = result == ERR_OK && d->is_registered,
            .instance = d->instance,
        };
    atomic_fetch_sub(&client->waiting_bytes, d->text_bytes);
    gateway_client_queue_entry_free(&entry);
    atomic_fetch_sub(&client->waiting, 1);
    if (t != NULL)
        request_answer(&t->request, result);
}

/* The next call of a delivery is queued at the head, a retry at the tail. */
static void make_ready(struct gateway_client_queue_entry *entry)
{
    bool is_retry = entry->delivery->retry_ms > 0;

    gateway_client_queue_add_ready(&entry->client->queue, entry, !is_retry);
}

static void retry_after(struct gateway_client_queue_entry *entry, uint64_t delay_ms)
{
    gateway_client_queue_add_outstanding(&entry->client->queue, entry);
    loop_set_timer(entry->client->loop, &entry->retry, delay_ms);
}

/* The entry must not be in any list. */
static void act(struct gateway_client_queue_entry *entry,
                const struct gateway_client_delivery_decision *decision)
{
    if (decision->action == GATEWAY_CLIENT_DELIVERY_DONE)
        end(entry, decision->result);
    else if (entry->client->is_closed)
        end(entry, ERR_CLOSED);
    else if (decision->action == GATEWAY_CLIENT_DELIVERY_RETRY)
        retry_after(entry, decision->delay_ms);
    else
        make_ready(entry);
}

static void count(const struct gateway_client_delivery_decision *decision)
{
    if (decision->is_fault)
        metrics_add(METRIC_GATEWAY_FAULTS, 1);
    else if (decision->action == GATEWAY_CLIENT_DELIVERY_RETRY)
        metrics_add(METRIC_GATEWAY_REPEATS, 1);
    if (decision->is_undelivered)
        metrics_add(METRIC_GATEWAY_UNDELIVERED, 1);
}

static void log_fault(const struct gateway_client_delivery *d,
                      const struct gateway_client_delivery_decision *decision)
{
    const char *name = d->text[GATEWAY_CLIENT_TEXT_FILENAME];
    char shown[SETTINGS_TEXT_SIZE];

    if (decision->outcome == NULL)
        return;
    if (name == NULL)
        name = d->text[GATEWAY_CLIENT_TEXT_PROTO];
    text_escape(shown, sizeof shown, name, strlen(name), false);
    log_warning("gateway: %s of %s %s: %s", gateway_client_call_method(decision->call), shown,
                decision->outcome, decision->problem);
}

/* Starts or restarts a delivery. An id of an earlier run is known only to the gateway of that run:
 * it is deferred until init or connect shows whether this is the same one. */
static void admit(struct gateway_client_queue_entry *entry)
{
    struct gateway_client *client = entry->client;
    struct gateway_client_delivery_decision decision;

    if (gateway_client_delivery_is_deferred(entry->delivery)) {
        gateway_client_queue_defer(&client->queue, entry);
        return;
    }
    gateway_client_delivery_begin(entry->delivery, &client->target, &decision);
    if (decision.action == GATEWAY_CLIENT_DELIVERY_DONE)
        end(entry, decision.result);
    else
        gateway_client_queue_add_ready(&client->queue, entry, false);
}

static void retry_fired(struct timer *timer, void *ctx)
{
    struct gateway_client_queue_entry *entry = ctx;

    (void)timer;
    gateway_client_queue_remove_outstanding(&entry->client->queue, entry);
    make_ready(entry);
}

/* Stopping. */

static void end_all(struct gateway_client_queue_list *list)
{
    struct gateway_client_queue_entry *entry;

    while ((entry = TAILQ_FIRST(list)) != NULL) {
        TAILQ_REMOVE(list, entry, link);
        end(entry, ERR_CLOSED);
    }
}

static void report_if_idle(struct gateway_client *client)
{
    struct request *idle = client->idle;

    /* Deferred entries do not delay a stop. */
    if (idle == NULL || !gateway_client_queue_is_idle(&client->queue))
        return;
    client->idle = NULL;
    request_answer(idle, ERR_OK);
}

static void close_now(struct gateway_client *client)
{
    struct gateway_client_queue_list all = TAILQ_HEAD_INITIALIZER(all);
    size_t left = atomic_load(&client->waiting);

    if (client->is_closed)
        return;
    client->is_closed = true;
    loop_cancel_timer(client->loop, &client->grace);
    loop_cancel_timer(client->loop, &client->pause);
    if (left > 0)
        log_warning("gateway: %zu calls unanswered at the stop; those recorded in the journal are "
                    "delivered after the next start",
                    left);
    gateway_client_http_pool_cancel_all(client->http);
    gateway_client_queue_drain(&client->queue, &all);
    end_all(&all);
    end_all(&client->queue.notices);
}

static void grace_expired(struct timer *timer, void *ctx)
{
    (void)timer;
    close_now(ctx);
}

static void handle_shut(struct message *m, void *owner)
{
    struct gateway_client *client = owner;

    (void)m;
    client->is_shut = true;
    if (client->is_paused || client->is_probing || !client->has_url)
        close_now(client);
    else
        loop_set_timer(client->loop, &client->grace, client->shut.grace_ms);
}

static void handle_await_idle(struct message *m, void *owner)
{
    ((struct gateway_client *)owner)->idle = (struct request *)(void *)m;
}

/* Unreachable. */

static void pause_expired(struct timer *timer, void *ctx)
{
    struct gateway_client *client = ctx;

    (void)timer;
    client->is_paused = false;
    client->is_probing = true;
}

static void end_pause(struct gateway_client *client)
{
    client->pause_ms = 0;
    client->is_paused = client->is_probing = false;
    loop_cancel_timer(client->loop, &client->pause);
}

static void handle_unreachable(struct gateway_client *client, const char *problem)
{
    if (client->is_closed || client->is_paused)
        return;
    if (client->pause_ms == 0)
        log_warning("gateway %s is unreachable: %s; %zu calls pending, retrying",
                    client->settings.gateway.url, problem, gateway_client_waiting(client));
    client->pause_ms = client->pause_ms == 0 ? PAUSE_FIRST_MS : client->pause_ms * 2;
    if (client->pause_ms > PAUSE_MAX_MS)
        client->pause_ms = PAUSE_MAX_MS;
    client->is_paused = true;
    client->is_probing = false;
    loop_set_timer(client->loop, &client->pause, client->pause_ms);
    if (client->is_shut)
        close_now(client);
}

static void handle_reachable(struct gateway_client *client)
{
    client->answered_ms = loop_now_ms(client->loop);
    if (client->pause_ms == 0)
        return;
    log_info("gateway %s is reachable again: %zu calls pending", client->settings.gateway.url,
             gateway_client_waiting(client));
    end_pause(client);
}

/* Calls. */

static void handle_reply(void *ctx, void *cookie, const struct gateway_client_reply *reply)
{
    struct gateway_client *client = ctx;
    struct gateway_client_queue_entry *entry = cookie;
    struct gateway_client_delivery_decision decision;

    gateway_client_queue_remove_outstanding(&client->queue, entry);
    gateway_client_delivery_replied(entry->delivery, &client->target, reply, &decision);
    if (decision.is_answered)
        handle_reachable(client);
    log_fault(entry->delivery, &decision);
    count(&decision);
    act(entry, &decision);
    if (decision.action == GATEWAY_CLIENT_DELIVERY_UNREACHABLE)
        handle_unreachable(client, reply->problem);
}

static void post(struct gateway_client *client, struct gateway_client_queue_entry *entry)
{
    char *document = NULL;
    size_t length = 0;

    gateway_client_queue_mark_in_flight(&client->queue, entry);
    entry->delivery->was_posted = true;
    metrics_add(METRIC_GATEWAY_CALLS, 1);
    if (gateway_client_encode_write(entry->delivery, &document, &length) != ERR_OK ||
        gateway_client_http_pool_post(client->http, document, length, entry) != ERR_OK) {
        const struct gateway_client_reply reply = {.outcome = GATEWAY_CLIENT_REPLY_NO_ANSWER,
                                                   .problem = err_text(ERR_NO_MEMORY)};

        handle_reply(client, entry, &reply);
    }
}

static bool can_post(const struct gateway_client *client)
{
    if (!client->has_url || client->is_paused)
        return false;
    return client->is_probing ? gateway_client_http_pool_is_idle(client->http)
                              : gateway_client_http_pool_has_free(client->http);
}

static void post_due(struct gateway_client *client)
{
    struct gateway_client_queue_entry *entry;

    while (can_post(client) && (entry = gateway_client_queue_next(&client->queue)) != NULL)
        post(client, entry);
}

static uint64_t patience_ms(const struct gateway_client *client)
{
    return client->settings.gateway.patience_s * 1000ull;
}

static void expire_entry(struct gateway_client_queue_entry *entry)
{
    struct gateway_client *client = entry->client;
    struct gateway_client_delivery_decision decision;

    if (entry->is_outstanding) {
        gateway_client_http_pool_cancel(client->http, entry);
        gateway_client_queue_remove_outstanding(&client->queue, entry);
    } else {
        gateway_client_queue_remove_ready(&client->queue, entry);
    }
    gateway_client_delivery_expire(entry->delivery, &client->target, &decision);
    log_fault(entry->delivery, &decision);
    act(entry, &decision);
}

static void expiry_fired(struct timer *timer, void *ctx)
{
    struct gateway_client_queue_entry *entry = ctx;
    const struct gateway_client *client = entry->client;
    uint64_t left_ms = gateway_client_delivery_left_ms(
        entry->delivery, patience_ms(client), client->answered_ms, loop_now_ms(client->loop));

    if (left_ms > 0)
        loop_set_timer(client->loop, timer, left_ms);
    else
        expire_entry(entry);
}

/* Messages. */

static void handle_entry(struct message *m, void *owner)
{
    struct gateway_client *client = owner;
    struct gateway_client_queue_entry *entry = (struct gateway_client_queue_entry *)(void *)m;

    entry->client = client;
    entry->retry = (struct timer){.fire = retry_fired, .ctx = entry};
    entry->expiry = (struct timer){.fire = expiry_fired, .ctx = entry};
    if (client->is_closed) {
        end(entry, ERR_CLOSED);
    } else if (entry->delivery->kind == GATEWAY_CLIENT_DELIVERY_NOTICE) {
        gateway_client_queue_add_notice(&client->queue, entry);
    } else {
        if (entry->delivery->kind == GATEWAY_CLIENT_DELIVERY_REGISTER)
            loop_set_timer(client->loop, &entry->expiry, patience_ms(client));
        admit(entry);
    }
}

/* Restarts all deliveries except the notices: those were for the previous instance. */
static void restart_all(struct gateway_client *client)
{
    struct gateway_client_queue_list all = TAILQ_HEAD_INITIALIZER(all);
    struct gateway_client_queue_entry *entry;

    gateway_client_http_pool_cancel_all(client->http);
    gateway_client_queue_drain(&client->queue, &all);
    end_all(&client->queue.notices);
    while ((entry = TAILQ_FIRST(&all)) != NULL) {
        TAILQ_REMOVE(&all, entry, link);
        loop_cancel_timer(client->loop, &entry->retry);
        gateway_client_delivery_identify(entry->delivery, GATEWAY_CLIENT_INSTANCE_EARLIER);
        if (entry->delivery->kind == GATEWAY_CLIENT_DELIVERY_NOTICE)
            end(entry, ERR_CLOSED);
        else
            admit(entry);
    }
}

static void handle_init(struct message *m, void *owner)
{
    struct gateway_client *client = owner;
    struct gateway_client_init *init = (struct gateway_client_init *)(void *)m;

    if (!client->is_closed) {
        snprintf(client->settings.gateway.url, sizeof client->settings.gateway.url, "%s",
                 init->url);
        client->has_url = true;
        client->target.has_file_result = init->has_file_result;
        client->target.instance++;
        end_pause(client);
        restart_all(client);
        if (gateway_client_http_pool_set_url(client->http, init->url) != ERR_OK)
            log_error("gateway %s: cannot set its URL: %s", init->url, err_text(ERR_NO_MEMORY));
        log_info("gateway %s is active, instance %u: %zu calls pending", init->url,
                 client->target.instance, gateway_client_waiting(client));
    }
    free(init);
}

/* `connect` without a preceding init: the gateway is the same instance. */
static void handle_confirm(struct message *m, void *owner)
{
    struct gateway_client *client = owner;
    struct gateway_client_queue_list deferred = TAILQ_HEAD_INITIALIZER(deferred);
    struct gateway_client_queue_entry *entry;

    free(m);
    TAILQ_CONCAT(&deferred, &client->queue.deferred, link);
    while ((entry = TAILQ_FIRST(&deferred)) != NULL) {
        TAILQ_REMOVE(&deferred, entry, link);
        gateway_client_delivery_identify(entry->delivery, client->target.instance);
        admit(entry);
    }
}

static void after_turn(void *owner)
{
    struct gateway_client *client = owner;

    gateway_client_queue_advance_notices(&client->queue);
    post_due(client);
    report_if_idle(client);
}

/* Closes curl's handles in the thread that polls their sockets. */
static void ended(void *owner)
{
    struct gateway_client *client = owner;

    close_now(client);
    report_if_idle(client);
    gateway_client_http_pool_close(&client->http);
}

/* Open, start, stop. */

enum err gateway_client_open(struct gateway_client **out, const struct settings *settings)
{
    struct gateway_client *client = calloc(1, sizeof *client);
    enum err e;

    if (client == NULL)
        return ERR_NO_MEMORY;
    client->settings = *settings;
    client->has_url = settings->gateway.url[0] != '\0';
    client->target.has_file_result = settings->gateway.has_file_result;
    client->target.instance = GATEWAY_CLIENT_INSTANCE_FIRST;
    client->pause = (struct timer){.fire = pause_expired, .ctx = client};
    client->grace = (struct timer){.fire = grace_expired, .ctx = client};
    gateway_client_queue_init(&client->queue);
    atomic_init(&client->waiting, 0);
    rpc_library_init();
    e = loop_open(&client->loop, &(struct loop_config){.name = "gateway",
                                                       .mailbox_limit = MAILBOX_LIMIT,
                                                       .owner = client,
                                                       .after_turn = after_turn,
                                                       .ended = ended});
    if (e == ERR_OK)
        e = gateway_client_http_pool_open(&client->http, client->loop, patience_ms(client),
                                          handle_reply, client);
    if (e == ERR_OK && client->has_url)
        e = gateway_client_http_pool_set_url(client->http, settings->gateway.url);
    if (e != ERR_OK) {
        gateway_client_close(&client);
        return e;
    }
    *out = client;
    return ERR_OK;
}

void gateway_client_close(struct gateway_client **client)
{
    struct gateway_client *c = *client;

    if (c == NULL)
        return;
    /* Complete what was posted after the thread exited, or before it started. */
    c->is_closed = true;
    while (c->loop != NULL && mailbox_drain(loop_mailbox(c->loop)) > 0)
        ;
    gateway_client_http_pool_close(&c->http);
    loop_close(&c->loop);
    rpc_library_fini();
    free(c);
    *client = NULL;
}

enum err gateway_client_start(struct gateway_client *client)
{
    return loop_start(client->loop);
}

void gateway_client_stop(struct gateway_client *client)
{
    loop_stop(client->loop);
}

void gateway_client_shut(struct gateway_client *client, uint64_t grace_ms)
{
    client->shut.grace_ms = grace_ms;
    mailbox_answer(loop_mailbox(client->loop), &client->shut.message, handle_shut);
}

void gateway_client_await_idle(struct gateway_client *client, struct request *idle)
{
    mailbox_answer(loop_mailbox(client->loop), &idle->message, handle_await_idle);
}

enum err gateway_client_init(struct gateway_client *client, const char *url, bool has_file_result)
{
    size_t size = strlen(url) + 1;
    struct gateway_client_init *init = calloc(1, sizeof *init + size);

    if (init == NULL)
        return ERR_NO_MEMORY;
    memcpy(init->url, url, size);
    init->has_file_result = has_file_result;
    mailbox_answer(loop_mailbox(client->loop), &init->message, handle_init);
    return ERR_OK;
}

void gateway_client_confirm(struct gateway_client *client)
{
    struct message *m = calloc(1, sizeof *m);

    if (m == NULL)
        log_error("gateway: calls of an earlier run are deferred until init: %s",
                  err_text(ERR_NO_MEMORY));
    else
        mailbox_answer(loop_mailbox(client->loop), m, handle_confirm);
}

size_t gateway_client_waiting(const struct gateway_client *client)
{
    return atomic_load(&client->waiting);
}

enum err gateway_client_post(struct gateway_client *client,
                             struct gateway_client_delivery *delivery,
                             struct gateway_transfer *transfer)
{
    size_t bytes = delivery->text_bytes;
    struct gateway_client_queue_entry *entry = gateway_client_queue_entry_new(delivery);

    if (entry == NULL)
        return ERR_NO_MEMORY;
    entry->transfer = transfer;
    atomic_fetch_add(&client->waiting, 1);
    atomic_fetch_add(&client->waiting_bytes, bytes);
    mailbox_answer(loop_mailbox(client->loop), &entry->message, handle_entry);
    return ERR_OK;
}
