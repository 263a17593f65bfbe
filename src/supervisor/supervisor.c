#include "supervisor/supervisor.h"

#include "base/clock.h"
#include "base/container_of.h"
#include "base/contract.h"
#include "base/log.h"
#include "supervisor/change.h"
#include "supervisor/core.h"
#include "supervisor/gateway_overrides.h"
#include "supervisor/services.h"
#include "supervisor/state_event.h"
#include "supervisor/status.h"
#include "supervisor/supervisor_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SUPERVISOR_MAILBOX_LIMIT = 4096 };

/* Callbacks of the automata. */

static void transport_changed(void *ctx, struct network_transport *t)
{
    struct supervisor *s = ctx;

    (void)t;
    network_connector_transport_changed(&s->connector);
}

static void report_if_stopped(struct supervisor *s)
{
    if (!s->is_stopping || s->is_stopped)
        return;
    for (unsigned i = 0; i < s->transport_count; i++)
        if (!s->transports[i].is_ended)
            return;
    s->is_stopped = true;
    log_info("all transports stopped");
    if (s->config.stopped_to != NULL && !s->is_ended)
        mailbox_answer(s->config.stopped_to, s->config.stopped, s->config.on_stopped);
}

static void transport_ended(void *ctx, struct network_transport *t)
{
    (void)t;
    report_if_stopped(ctx);
}

/* Logs a new reason as a warning; retries that fail for the same reason are logged at debug level.
 */
static void network_settled(void *ctx, enum network_connector_state state)
{
    struct supervisor *s = ctx;
    char reason[REASON_SIZE], advice[REASON_SIZE], text[REASON_SIZE + 32];
    bool is_new;

    if (state == NETWORK_CONNECTED) {
        s->warned[0] = '\0';
        supervisor_core_notify(s, SUPERVISOR_NOTICE_SETTLED, "connected");
        supervisor_change_answer_applied(s);
    }
    if (state != NETWORK_DISCONNECTED)
        return;
    supervisor_status_reason(s, reason);
    supervisor_status_advice(s, advice);
    is_new = strcmp(reason, s->warned) != 0;
    log_line(is_new ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG, "not connected: %s", advice);
    snprintf(s->warned, sizeof s->warned, "%s", reason);
    snprintf(text, sizeof text, "not connected: %s", advice);
    supervisor_core_notify(s, SUPERVISOR_NOTICE_SETTLED, text);
    supervisor_change_answer_applied(s);
}

static void addresses_changed(void *ctx)
{
    struct supervisor *s = ctx;

    network_connector_feed(&s->connector, NETWORK_EV_CHECK_RECONNECT);
}

/* Opening and closing. */

static void add_transport(struct supervisor *s, struct gateway_transport *registered)
{
    const struct network_transport_config config = {
        .gateway = s->config.gateway,
        .registered = registered,
        .events = s->config.events,
        .answer_to = loop_mailbox(s->loop),
        .ctx = s,
        .changed = transport_changed,
        .ended = transport_ended,
    };

    supervisor_gateway_overrides_apply(s, &s->in_force.settings, registered);
    network_transport_init(&s->transports[s->transport_count++], &config);
}

static void add_machines(struct supervisor *s)
{
    for (unsigned i = 0; i < gateway_count(s->config.gateway); i++)
        add_transport(s, gateway_transport_at(s->config.gateway, i));
    network_connector_init(&s->connector, &(struct network_connector_config){
                                              .loop = s->loop,
                                              .transports = s->transports,
                                              .transport_count = s->transport_count,
                                              .settings = &s->acting.settings,
                                              .events = s->config.events,
                                              .has_address = supervisor_net_watch_has_address,
                                              .ctx = s,
                                              .settled = network_settled,
                                          });
}

static void thread_started(void *owner)
{
    supervisor_begin(owner);
}

static void thread_ended(void *owner)
{
    supervisor_end(owner);
}

enum err supervisor_open(struct supervisor **out, const struct supervisor_config *config)
{
    struct supervisor *s = calloc(1, sizeof *s);
    const struct loop_config loop = {.name = "supervisor",
                                     .mailbox_limit = SUPERVISOR_MAILBOX_LIMIT,
                                     .owner = s,
                                     .started = thread_started,
                                     .ended = thread_ended};
    const struct loop_config files = {
        .name = "settings", .mailbox_limit = 1, .owner = s, .works_on_files = true};
    enum err e;

    if (s == NULL)
        return ERR_NO_MEMORY;
    s->config = *config;
    s->in_force = s->acting = config->in_force;
    s->is_remote = s->in_force.settings.gateway.url[0] != '\0';
    s->overrides.is_connected = !s->is_remote;
    s->net_watch.watch.fd = -1;
    supervisor_change_init(s);
    s->started_us = clock_boot_us();
    if ((e = loop_open(&s->loop, &loop)) != ERR_OK)
        goto fail;
    if ((e = loop_open(&s->files, &files)) != ERR_OK)
        goto fail;
    add_machines(s);
    *out = s;
    return ERR_OK;
fail:
    supervisor_close(&s);
    return e;
}

void supervisor_close(struct supervisor **supervisor)
{
    struct supervisor *s = *supervisor;

    if (s == NULL)
        return;
    s->is_ended = true;
    if (s->loop != NULL) {
        mailbox_shut(loop_mailbox(s->loop));
        while (mailbox_drain(loop_mailbox(s->loop)) > 0)
            ;
    }
    CONTRACT(s->change == NULL);
    loop_close(&s->files);
    loop_close(&s->loop);
    free(s);
    *supervisor = NULL;
}

void supervisor_begin(struct supervisor *s)
{
    enum err e = supervisor_net_watch_open(&s->net_watch, s->loop, addresses_changed, s);

    if (e != ERR_OK)
        log_warning("cannot watch the network interfaces: %s; address changes are not detected",
                    err_text(e));
    for (unsigned i = 0; i < s->transport_count; i++)
        network_transport_feed(&s->transports[i], TRANSPORT_EV_INIT);
    network_connector_feed(&s->connector, NETWORK_EV_INIT);
    network_connector_feed(&s->connector, NETWORK_EV_RECONNECT);
}

void supervisor_end(struct supervisor *s)
{
    s->is_ended = true;
    mailbox_shut(loop_mailbox(s->loop));
    network_connector_end(&s->connector);
    supervisor_net_watch_close(&s->net_watch);
    supervisor_change_answer_applied(s);
    supervisor_change_refuse_queued(s);
}

enum err supervisor_start(struct supervisor *supervisor)
{
    enum err e = loop_start(supervisor->files);

    if (e != ERR_OK)
        return e;
    if ((e = loop_start(supervisor->loop)) != ERR_OK)
        loop_stop(supervisor->files);
    return e;
}

void supervisor_stop(struct supervisor *supervisor)
{
    loop_stop(supervisor->loop);
    loop_stop(supervisor->files); /* waits until a running change is written */
}

unsigned supervisor_stop_timeout_s(const struct supervisor *supervisor)
{
    return supervisor->in_force.settings.sessions.stop_timeout_s;
}

/* Requests. */

static void begin_stop(struct supervisor *s)
{
    uint64_t grace_ms = s->in_force.settings.sessions.stop_timeout_s * UINT64_C(1000);

    if (s->is_stopping)
        return;
    s->is_stopping = true;
    log_info("stopping: transfers in progress have %u s to finish",
             s->in_force.settings.sessions.stop_timeout_s);
    supervisor_core_notify(s, SUPERVISOR_NOTICE_STOPPING,
                           "stopping: transfers in progress may finish");
    supervisor_net_watch_close(&s->net_watch);
    network_connector_end(&s->connector);
    supervisor_change_answer_applied(s);
    supervisor_change_refuse_queued(s);
    for (unsigned i = 0; i < s->transport_count; i++)
        network_transport_shutdown(&s->transports[i], grace_ms);
    report_if_stopped(s);
}

static void build_contacts(struct supervisor *s, struct supervisor_request *r)
{
    for (unsigned i = 0; i < s->transport_count; i++) {
        const struct gateway_transport *t = s->transports[i].config.registered;

        if (t->is_enabled &&
            t->row->ops->build_contacts(t->row->self, r->contacts[r->contact_count]) == ERR_OK)
            r->contact_count++;
    }
    request_answer(&r->request, ERR_OK);
}

/* True if the contact is this node's and the bound address matches the settings. */
static bool is_own_contact(struct supervisor *s, const char *text)
{
    const struct gateway_transport *t;
    struct contact contact;

    if (contact_parse(&contact, text) != ERR_OK ||
        (t = gateway_find(s->config.gateway, contact.proto)) == NULL)
        return false;
    return t->is_listening && t->row->ops->verify_contacts(t->row->self, &contact) &&
           !t->row->ops->is_rebind_needed(t->row->self);
}

static void verify_contacts(struct supervisor *s, struct supervisor_request *r)
{
    char *rest = r->wanted, *one;

    while ((one = strsep(&rest, ",")) != NULL)
        r->is_verified = r->is_verified || is_own_contact(s, one);
    request_answer(&r->request, ERR_OK);
}

static void answer_settings(struct supervisor *s, struct supervisor_request *r)
{
    r->in_force = s->acting;
    request_answer(&r->request, ERR_OK);
}

static void stop(struct supervisor *s, struct supervisor_request *r)
{
    begin_stop(s);
    r->in_force = s->in_force;
    request_answer(&r->request, ERR_OK);
}

static void reconnect(struct supervisor *s, struct supervisor_request *r)
{
    network_connector_feed(&s->connector, NETWORK_EV_RECONNECT);
    request_answer(&r->request, ERR_OK);
}

static void check_reconnect(struct supervisor *s, struct supervisor_request *r)
{
    network_connector_feed(&s->connector, NETWORK_EV_CHECK_RECONNECT);
    request_answer(&r->request, ERR_OK);
}

static const struct {
    void (*run)(struct supervisor *s, struct supervisor_request *r); /* answers */
    bool is_change;                                                  /* refused while stopping */
} handlers[] = {
    [SUPERVISOR_STATUS] = {supervisor_status_answer, false},
    [SUPERVISOR_SERVICES] = {supervisor_status_answer_services, false},
    [SUPERVISOR_SETTINGS] = {answer_settings, false},
    [SUPERVISOR_BUILD_CONTACTS] = {build_contacts, false},
    [SUPERVISOR_VERIFY_CONTACTS] = {verify_contacts, false},
    [SUPERVISOR_STOP] = {stop, false},
    [SUPERVISOR_RELOAD] = {supervisor_change_enqueue, true},
    [SUPERVISOR_SET] = {supervisor_change_enqueue, true},
    [SUPERVISOR_UNSET] = {supervisor_change_enqueue, true},
    [SUPERVISOR_RECONNECT] = {reconnect, true},
    [SUPERVISOR_CHECK_RECONNECT] = {check_reconnect, true},
    [SUPERVISOR_GATEWAY_INIT] = {supervisor_gateway_overrides_init, true},
    [SUPERVISOR_CONNECT] = {supervisor_gateway_overrides_connect, true},
    [SUPERVISOR_DISCONNECT] = {supervisor_gateway_overrides_disconnect, true},
};

static void handle_request(struct message *m, void *owner)
{
    struct supervisor *s = owner;
    struct supervisor_request *r = CONTAINER_OF(m, struct supervisor_request, request.message);

    CONTRACT(r->type < sizeof handlers / sizeof *handlers);
    if (s->is_ended || (handlers[r->type].is_change && s->is_stopping)) {
        snprintf(r->text, sizeof r->text, "the daemon is stopping\n");
        request_answer(&r->request, ERR_CLOSED);
        return;
    }
    handlers[r->type].run(s, r);
}

enum err supervisor_post(struct supervisor *supervisor, struct supervisor_request *r)
{
    if (r->type != SUPERVISOR_STOP)
        return mailbox_post(loop_mailbox(supervisor->loop), &r->request.message, handle_request);
    mailbox_answer(loop_mailbox(supervisor->loop), &r->request.message, handle_request);
    return ERR_OK;
}

/* Sends. */

/* The proto of a single contact; for several, that of the first transport. */
static const char *requested_proto(const struct supervisor *s, const struct send_request *send,
                                   struct contact *room)
{
    if (send->asked_host != NULL && contact_parse(room, send->asked_host) == ERR_OK)
        return room->proto;
    return s->transport_count > 0 ? network_transport_proto(&s->transports[0]) : "";
}

/* Fails a send that reached no transport, and reports that to the gateway. */
static void refuse_send(struct supervisor *s, struct contacts_request *r, enum err e,
                        const char *reason)
{
    struct send_request *send = &r->send;
    struct contact contact;
    struct gateway_transfer t = {.proto = requested_proto(s, send, &contact),
                                 .idurl = send->remote_idurl == NULL ? "" : send->remote_idurl};

    send->status = t.status = GATEWAY_TRANSFER_FAILED;
    snprintf(send->error, sizeof send->error, "%.*s", GATEWAY_TRANSFER_ERROR_SIZE - 1, reason);
    memcpy(t.error, send->error, sizeof t.error);
    gateway_describe_send(&t, send);
    gateway_sending_ended(s->config.gateway, &t);
    request_answer(&send->request, e);
}

static void handle_send(struct message *m, void *owner)
{
    struct supervisor *s = owner;
    struct contacts_request *r = CONTAINER_OF(m, struct contacts_request, send.request.message);
    struct gateway_transport *chosen;
    char error[REASON_SIZE] = "";
    enum err e;

    if (s->is_stopping || s->is_ended) {
        refuse_send(s, r, ERR_CLOSED, "disconnecting");
        return;
    }
    e = gateway_choose(s->config.gateway, r->contacts, &chosen, &r->send.route.contact, error);
    if (e != ERR_OK)
        refuse_send(s, r, e, error[0] != '\0' ? error : err_text(e));
    else
        chosen->row->ops->send_file(chosen->row->self, &r->send);
}

enum err supervisor_send(struct supervisor *supervisor, struct contacts_request *r)
{
    return mailbox_post(loop_mailbox(supervisor->loop), &r->send.request.message, handle_send);
}

static void sends_forwarded(struct message *m, void *owner)
{
    (void)owner;
    request_answer((struct request *)(void *)m, ERR_OK);
}

enum err supervisor_post_after_sends(struct supervisor *supervisor, struct request *r)
{
    return mailbox_post(loop_mailbox(supervisor->loop), &r->message, sends_forwarded);
}

/* connection-done. */

static void handle_connection_done(struct message *m, void *owner)
{
    struct supervisor *s = owner;

    (void)m;
    /* Cleared before it is handled, so that a later notification posts a new message. */
    atomic_store(&s->is_done_posted, false);
    if (!s->is_ended)
        network_connector_feed(&s->connector, NETWORK_EV_CONNECTION_DONE);
}

void supervisor_notify_connection_done(struct supervisor *supervisor)
{
    if (!atomic_exchange(&supervisor->is_done_posted, true))
        mailbox_answer(loop_mailbox(supervisor->loop), &supervisor->connection_done,
                       handle_connection_done);
}
