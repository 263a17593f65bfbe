#include "supervisor/network_transport.h"

#include "base/container_of.h"
#include "base/contract.h"
#include "base/log.h"
#include "supervisor/automata.h"
#include "supervisor/state_event.h"

#include <stdio.h>

static void start_answered(struct message *m, void *owner);
static void stop_answered(struct message *m, void *owner);

/* The machine's name in log lines: tcp_transport. */
static const char *name_of(const struct network_transport *t, char room[CONTACT_PROTO_SIZE + 16])
{
    snprintf(room, CONTACT_PROTO_SIZE + 16, "%s_transport", network_transport_proto(t));
    return room;
}

/* Conditions. */

static bool is_start_now(const void *self, const void *arg)
{
    (void)arg;
    return ((const struct network_transport *)self)->start_now;
}

static bool is_not_start_now(const void *self, const void *arg)
{
    return !is_start_now(self, arg);
}

static bool is_stop_now(const void *self, const void *arg)
{
    (void)arg;
    return ((const struct network_transport *)self)->stop_now;
}

static bool is_not_stop_now(const void *self, const void *arg)
{
    return !is_stop_now(self, arg);
}

/* Actions: the flags. */

static void set_start_now(void *self, const void *arg)
{
    (void)arg;
    ((struct network_transport *)self)->start_now = true;
}

static void clear_start_now(void *self, const void *arg)
{
    (void)arg;
    ((struct network_transport *)self)->start_now = false;
}

static void set_stop_now(void *self, const void *arg)
{
    (void)arg;
    ((struct network_transport *)self)->stop_now = true;
}

static void clear_stop_now(void *self, const void *arg)
{
    (void)arg;
    ((struct network_transport *)self)->stop_now = false;
}

static void set_both(void *self, const void *arg)
{
    set_stop_now(self, arg);
    set_start_now(self, arg);
}

static void clear_both(void *self, const void *arg)
{
    clear_stop_now(self, arg);
    clear_start_now(self, arg);
}

/* Actions: the work. */

static void do_init(void *self, const void *arg)
{
    struct network_transport *t = self;

    (void)arg;
    /* A transport of this process is initialized when it is registered. */
    automat_feed(&t->automat, TRANSPORT_EV_INITIALIZED, NULL);
}

static void do_create_proxy(void *self, const void *arg)
{
    struct network_transport *t = self;
    const struct gateway_binding *binding = gateway_current(t->config.gateway);

    (void)arg;
    binding->ops->transport_initialized(binding->self, network_transport_proto(t));
}

static void do_start(void *self, const void *arg)
{
    struct network_transport *t = self;
    const struct transport_row *row = t->config.registered->row;

    (void)arg;
    CONTRACT(!t->is_start_pending && !t->is_stop_pending);
    t->is_start_pending = true;
    t->start = (struct transport_start){
        .request = {.answer_to = t->config.answer_to, .on_answer = start_answered}};
    row->ops->connect(row->self, &t->start);
}

static void do_save_options(void *self, const void *arg)
{
    struct network_transport *t = self;
    char name[CONTACT_PROTO_SIZE + 16];
    const struct gateway_binding *binding = gateway_current(t->config.gateway);

    (void)arg;
    snprintf(t->host, sizeof t->host, "%s", t->start.host);
    t->last_error[0] = '\0';
    if (t->host[0] != '\0')
        log_info("%s: listening on %s", name_of(t, name), t->host);
    else
        log_info("%s: active without listening", name_of(t, name));
    binding->ops->receiving_started(binding->self, network_transport_proto(t), t->host);
}

static void disconnect(struct network_transport *t, uint64_t grace_ms)
{
    const struct transport_row *row = t->config.registered->row;

    CONTRACT(!t->is_start_pending && !t->is_stop_pending);
    t->is_stop_pending = true;
    t->host[0] = '\0';
    t->stop = (struct transport_stop){
        .request = {.answer_to = t->config.answer_to, .on_answer = stop_answered},
        .grace_ms = grace_ms};
    row->ops->disconnect(row->self, &t->stop);
}

static void do_stop(void *self, const void *arg)
{
    struct network_transport *t = self;

    (void)arg;
    disconnect(t, t->grace_ms);
}

/* A pending connect or disconnect releases its resources when it is answered; the supervisor owns
 * the struct. */
static void do_destroy_me(void *self, const void *arg)
{
    struct network_transport *t = self;

    (void)arg;
    t->start_now = t->stop_now = false;
}

static void stepped(void *self, uint8_t from, uint8_t event, uint8_t to)
{
    struct network_transport *t = self;
    char name[CONTACT_PROTO_SIZE + 16];
    const char *const *names = network_transport_kind.state_names;

    (void)event;
    if (from == to)
        return;
    t->is_changed = true;
    t->config.registered->is_listening = to == TRANSPORT_LISTENING;
    snprintf(t->config.registered->state, sizeof t->config.registered->state, "%s", names[to]);
    supervisor_state_event_emit(t->config.events, EVENT_TRANSPORT_STATE, name_of(t, name),
                                network_transport_proto(t), names[from], names[to]);
}

/* clang-format off */
#define ALWAYS        AUTOMAT_ALWAYS
#define START_NOW     { is_start_now, "StartNow" }
#define NOT_START_NOW { is_not_start_now, "not StartNow" }
#define STOP_NOW      { is_stop_now, "StopNow" }
#define NOT_STOP_NOW  { is_not_stop_now, "not StopNow" }
#define START_TRUE    { set_start_now, "StartNow = true" }
#define START_FALSE   { clear_start_now, "StartNow = false" }
#define STOP_TRUE     { set_stop_now, "StopNow = true" }
#define STOP_FALSE    { clear_stop_now, "StopNow = false" }
#define BOTH_TRUE     { set_both, "StopNow = StartNow = true" }
#define BOTH_FALSE    { clear_both, "StopNow = StartNow = false" }
#define DO(function)  AUTOMAT_DO(function)

static const struct automat_row rows[] = {
    /* from               event                           guard          to                   actions, left to right */
    { TRANSPORT_AT_STARTUP, TRANSPORT_EV_INIT,              ALWAYS,        TRANSPORT_INIT,      { BOTH_FALSE, DO(do_init) } },
    { TRANSPORT_INIT,       TRANSPORT_EV_START,             ALWAYS,        TRANSPORT_INIT,      { START_TRUE } },
    { TRANSPORT_INIT,       TRANSPORT_EV_RESTART,           ALWAYS,        TRANSPORT_INIT,      { START_TRUE } },
    { TRANSPORT_INIT,       TRANSPORT_EV_INITIALIZED,       START_NOW,     TRANSPORT_STARTING,  { DO(do_create_proxy), START_FALSE, DO(do_start) } },
    { TRANSPORT_INIT,       TRANSPORT_EV_INITIALIZED,       NOT_START_NOW, TRANSPORT_OFFLINE,   { DO(do_create_proxy) } },
    { TRANSPORT_INIT,       TRANSPORT_EV_SHUTDOWN,          ALWAYS,        TRANSPORT_CLOSED,    { DO(do_destroy_me) } },
    { TRANSPORT_OFFLINE,    TRANSPORT_EV_START,             ALWAYS,        TRANSPORT_STARTING,  { BOTH_FALSE, DO(do_start) } },
    { TRANSPORT_OFFLINE,    TRANSPORT_EV_RESTART,           ALWAYS,        TRANSPORT_STARTING,  { BOTH_FALSE, DO(do_start) } },
    { TRANSPORT_OFFLINE,    TRANSPORT_EV_SHUTDOWN,          ALWAYS,        TRANSPORT_CLOSED,    { DO(do_destroy_me) } },
    { TRANSPORT_STARTING,   TRANSPORT_EV_RECEIVING_STARTED, NOT_STOP_NOW,  TRANSPORT_LISTENING, { DO(do_save_options) } },
    { TRANSPORT_STARTING,   TRANSPORT_EV_RECEIVING_STARTED, STOP_NOW,      TRANSPORT_STOPPING,  { STOP_FALSE, DO(do_stop) } },
    { TRANSPORT_STARTING,   TRANSPORT_EV_FAILED,            ALWAYS,        TRANSPORT_OFFLINE,   { { NULL, NULL } } },
    { TRANSPORT_STARTING,   TRANSPORT_EV_STOP,              ALWAYS,        TRANSPORT_STARTING,  { STOP_TRUE } },
    { TRANSPORT_STARTING,   TRANSPORT_EV_START,             STOP_NOW,      TRANSPORT_STARTING,  { START_TRUE } },
    { TRANSPORT_STARTING,   TRANSPORT_EV_RESTART,           ALWAYS,        TRANSPORT_STARTING,  { BOTH_TRUE } },
    { TRANSPORT_STARTING,   TRANSPORT_EV_SHUTDOWN,          ALWAYS,        TRANSPORT_CLOSED,    { DO(do_destroy_me) } },
    { TRANSPORT_LISTENING,  TRANSPORT_EV_STOP,              ALWAYS,        TRANSPORT_STOPPING,  { STOP_FALSE, DO(do_stop) } },
    { TRANSPORT_LISTENING,  TRANSPORT_EV_RESTART,           ALWAYS,        TRANSPORT_STOPPING,  { STOP_FALSE, START_TRUE, DO(do_stop) } },
    { TRANSPORT_LISTENING,  TRANSPORT_EV_SHUTDOWN,          ALWAYS,        TRANSPORT_CLOSED,    { DO(do_stop), DO(do_destroy_me) } },
    { TRANSPORT_STOPPING,   TRANSPORT_EV_STOPPED,           NOT_START_NOW, TRANSPORT_OFFLINE,   { { NULL, NULL } } },
    { TRANSPORT_STOPPING,   TRANSPORT_EV_STOPPED,           START_NOW,     TRANSPORT_STARTING,  { START_FALSE, DO(do_start) } },
    { TRANSPORT_STOPPING,   TRANSPORT_EV_START,             ALWAYS,        TRANSPORT_STOPPING,  { START_TRUE } },
    { TRANSPORT_STOPPING,   TRANSPORT_EV_RESTART,           ALWAYS,        TRANSPORT_STOPPING,  { START_TRUE } },
    { TRANSPORT_STOPPING,   TRANSPORT_EV_STOP,              ALWAYS,        TRANSPORT_STOPPING,  { START_FALSE } },
    { TRANSPORT_STOPPING,   TRANSPORT_EV_SHUTDOWN,          ALWAYS,        TRANSPORT_CLOSED,    { DO(do_destroy_me) } },
};
/* clang-format on */

#define X(name, word) word,
static const char *const state_names[] = {NETWORK_TRANSPORT_STATES(X)};
static const char *const event_names[] = {NETWORK_TRANSPORT_EVENTS(X)};
#undef X

const struct automat_kind network_transport_kind = {
    .name = "network_transport",
    .state_names = state_names,
    .event_names = event_names,
    .state_count = TRANSPORT_STATE_COUNT,
    .event_count = TRANSPORT_EVENT_COUNT,
    .first = TRANSPORT_AT_STARTUP,
    .last = TRANSPORT_CLOSED,
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
    .stepped = stepped,
};

void network_transport_init(struct network_transport *t,
                            const struct network_transport_config *config)
{
    *t = (struct network_transport){.config = *config};
    automat_init(&t->automat, &network_transport_kind, t);
    snprintf(config->registered->state, sizeof config->registered->state, "%s",
             automat_state_name(&t->automat));
}

/* Calls `changed` and `ended` only after the step is complete: the callbacks may feed this machine
 * again and must find it settled. */
static void report_if_settled(struct network_transport *t)
{
    if (t->automat.is_running)
        return;
    if (t->is_changed) {
        t->is_changed = false;
        t->config.changed(t->config.ctx, t);
    }
    if (t->automat.state == TRANSPORT_CLOSED && !t->is_start_pending && !t->is_stop_pending &&
        !t->is_ended) {
        t->is_ended = true;
        t->config.ended(t->config.ctx, t);
    }
}

void network_transport_feed(struct network_transport *t, enum network_transport_event event)
{
    automat_feed(&t->automat, (uint8_t)event, NULL);
    report_if_settled(t);
}

void network_transport_shutdown(struct network_transport *t, uint64_t grace_ms)
{
    t->grace_ms = grace_ms;
    network_transport_feed(t, TRANSPORT_EV_SHUTDOWN);
}

const char *network_transport_proto(const struct network_transport *t)
{
    return t->config.registered->row->ops->proto;
}

bool network_transport_is_down(const struct network_transport *t)
{
    return t->automat.state != TRANSPORT_STARTING && t->automat.state != TRANSPORT_LISTENING &&
           t->automat.state != TRANSPORT_STOPPING;
}

static void start_failed(struct network_transport *t)
{
    const struct gateway_binding *binding = gateway_current(t->config.gateway);

    snprintf(t->last_error, sizeof t->last_error, "%s",
             t->start.error[0] != '\0' ? t->start.error : err_text(t->start.request.result));
    log_debug("%s transport: start failed: %s", network_transport_proto(t), t->last_error);
    binding->ops->receiving_failed(binding->self, network_transport_proto(t),
                                   t->start.request.result, t->last_error);
    network_transport_feed(t, TRANSPORT_EV_FAILED);
}

static void start_answered(struct message *m, void *owner)
{
    struct network_transport *t = CONTAINER_OF(m, struct network_transport, start.request.message);

    (void)owner;
    t->is_start_pending = false;
    if (t->automat.state == TRANSPORT_CLOSED && t->start.request.result == ERR_OK)
        disconnect(t, 0); /* shut down while starting: stop what has started */
    else if (t->automat.state == TRANSPORT_CLOSED)
        report_if_settled(t);
    else if (t->start.request.result == ERR_OK)
        network_transport_feed(t, TRANSPORT_EV_RECEIVING_STARTED);
    else
        start_failed(t);
}

static void stop_answered(struct message *m, void *owner)
{
    struct network_transport *t = CONTAINER_OF(m, struct network_transport, stop.request.message);
    const struct gateway_binding *binding = gateway_current(t->config.gateway);

    (void)owner;
    t->is_stop_pending = false;
    binding->ops->disconnected(binding->self, network_transport_proto(t), "disconnected");
    if (t->automat.state == TRANSPORT_CLOSED)
        report_if_settled(t);
    else
        network_transport_feed(t, TRANSPORT_EV_STOPPED);
}
