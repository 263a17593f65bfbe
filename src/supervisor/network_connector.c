#include "supervisor/network_connector.h"

#include "base/log.h"
#include "supervisor/automata.h"
#include "supervisor/state_event.h"

/* Predicates of the conditions and actions. */

static bool is_enabled(const struct network_transport *t)
{
    return t->config.registered->is_enabled;
}

static bool is_gateway_on(const struct network_connector *n)
{
    return n->config.settings->gateway_service.is_enabled;
}

static bool is_any_enabled(const struct network_connector *n)
{
    for (unsigned i = 0; i < n->config.transport_count; i++)
        if (is_enabled(&n->config.transports[i]))
            return true;
    return false;
}

static bool is_all_ready(const struct network_connector *n)
{
    if (!is_gateway_on(n))
        return true;
    for (unsigned i = 0; i < n->config.transport_count; i++) {
        const struct network_transport *t = &n->config.transports[i];

        if (is_enabled(t) && t->automat.state != TRANSPORT_OFFLINE &&
            t->automat.state != TRANSPORT_LISTENING)
            return false;
    }
    return true;
}

static bool is_all_listening(const struct network_connector *n)
{
    if (!is_gateway_on(n) || !is_any_enabled(n))
        return false;
    for (unsigned i = 0; i < n->config.transport_count; i++)
        if (is_enabled(&n->config.transports[i]) &&
            n->config.transports[i].automat.state != TRANSPORT_LISTENING)
            return false;
    return true;
}

static bool is_all_down(const struct network_connector *n)
{
    for (unsigned i = 0; i < n->config.transport_count; i++)
        if (!network_transport_is_down(&n->config.transports[i]))
            return false;
    return true;
}

static bool is_connection_alive(const struct network_connector *n)
{
    for (unsigned i = 0; i < n->config.transport_count; i++)
        if (n->config.transports[i].automat.state == TRANSPORT_LISTENING ||
            n->config.transports[i].automat.state == TRANSPORT_STARTING)
            return true;
    return false;
}

static bool is_time_passed(const struct network_connector *n)
{
    return !n->has_round || loop_now_ms(n->config.loop) - n->round_at_ms >= NETWORK_ROUND_MS;
}

static bool is_need_upnp(const struct network_connector *n)
{
    (void)n; /* port mapping is not implemented */
    return false;
}

/* Conditions, one for each text in the table. */

#define CONDITION(name, expression)                     \
    static bool name(const void *self, const void *arg) \
    {                                                   \
        const struct network_connector *n = self;       \
                                                        \
        (void)arg;                                      \
        return (expression);                            \
    }
CONDITION(if_not_active, !n->is_network_active)
CONDITION(if_active_here, n->is_network_active && n->is_current_interface_active)
CONDITION(if_active_elsewhere, n->is_network_active && !n->is_current_interface_active)
CONDITION(if_cold, n->cold_start)
CONDITION(if_warm, !n->cold_start && !is_need_upnp(n))
CONDITION(if_warm_upnp, !n->cold_start && is_need_upnp(n))
CONDITION(if_all_listening, !n->reset && is_all_ready(n) && is_all_listening(n))
CONDITION(if_reset_and_ready, n->reset &&is_all_ready(n))
CONDITION(if_not_all_listening, is_all_ready(n) && !is_all_listening(n))
CONDITION(if_reset_or_dead, n->reset || !is_connection_alive(n))
CONDITION(if_quick_or_reset, n->disconnects < NETWORK_QUICK_TRIES || n->reset)
CONDITION(if_time_passed, is_time_passed(n))

/* Actions: flags and the counter. */

#define ASSIGNMENT(name, statement)               \
    static void name(void *self, const void *arg) \
    {                                             \
        struct network_connector *n = self;       \
                                                  \
        (void)arg;                                \
        statement;                                \
    }
ASSIGNMENT(set_reset, n->reset = true)
ASSIGNMENT(clear_reset, n->reset = false)
ASSIGNMENT(set_cold_start, n->cold_start = true)
ASSIGNMENT(clear_cold_start, n->cold_start = false)
ASSIGNMENT(clear_disconnects, n->disconnects = 0)
ASSIGNMENT(disconnects_three, n->disconnects = NETWORK_QUICK_TRIES)
ASSIGNMENT(count_disconnect, n->disconnects += 1)

/* Actions: the work. Each queues an event, immediately or when an answer arrives. */

static void queue(struct network_connector *n, enum network_connector_event event)
{
    automat_feed(&n->automat, (uint8_t)event, NULL);
}

/* True if a wildcard or an address of this machine is among those to listen on. */
static bool is_listening_address_here(const struct settings *s)
{
    if (s->tcp_connections.is_listen_any)
        return true;
    for (unsigned i = 0; i < s->tcp_connections.listen_count; i++)
        if (address_is_wildcard(&s->tcp_connections.listen[i]) ||
            address_is_local(&s->tcp_connections.listen[i]))
            return true;
    return false;
}

static void do_check_network_interfaces(void *self, const void *arg)
{
    struct network_connector *n = self;

    (void)arg;
    n->probe_result = ERR_OK; /* drop that of the previous round */
    n->is_network_active = n->config.has_address();
    n->is_current_interface_active = is_listening_address_here(n->config.settings);
    queue(n, NETWORK_EV_GOT_NETWORK_INFO);
}

static void do_set_up(void *self, const void *arg)
{
    (void)arg;
    queue(self, NETWORK_EV_NETWORK_UP); /* the system configures the interfaces */
}

static void do_upnp(void *self, const void *arg)
{
    (void)arg;
    queue(self, NETWORK_EV_UPNP_DONE);
}

/* True if a transport can be started; otherwise queues the event that says why not. */
static bool has_work(struct network_connector *n)
{
    if (!is_gateway_on(n))
        queue(n, NETWORK_EV_GATEWAY_OFF);
    else if (!is_any_enabled(n))
        queue(n, NETWORK_EV_ALL_DISABLED);
    else
        return true;
    return false;
}

static void do_cold_start_network_transports(void *self, const void *arg)
{
    struct network_connector *n = self;
    struct network_transport *first = NULL;

    (void)arg;
    if (!has_work(n))
        return;
    for (unsigned i = 0; i < n->config.transport_count; i++) {
        struct network_transport *t = &n->config.transports[i];

        if (is_enabled(t) &&
            (first == NULL || t->config.registered->priority < first->config.registered->priority))
            first = t;
    }
    network_transport_feed(first, TRANSPORT_EV_START);
}

static void do_start_network_transports(void *self, const void *arg)
{
    struct network_connector *n = self;

    (void)arg;
    if (!has_work(n))
        return;
    for (unsigned i = 0; i < n->config.transport_count; i++)
        if (is_enabled(&n->config.transports[i]))
            network_transport_feed(&n->config.transports[i], TRANSPORT_EV_START);
    if (is_all_listening(n))
        queue(n, NETWORK_EV_ALL_READY);
}

static void do_verify_transports(void *self, const void *arg)
{
    struct network_connector *n = self;
    bool is_any = false;

    (void)arg;
    for (unsigned i = 0; i < n->config.transport_count; i++) {
        struct network_transport *t = &n->config.transports[i];
        const struct gateway_transport *g = t->config.registered;

        if (!is_enabled(t) || t->automat.state != TRANSPORT_LISTENING ||
            !g->row->ops->is_rebind_needed(g->row->self))
            continue;
        is_any = true;
        network_transport_feed(t, TRANSPORT_EV_RESTART);
    }
    if (!is_any)
        queue(n, NETWORK_EV_VERIFIED);
    /* A transport already OFFLINE reports no further change: process its state now. */
    if (!is_any && !is_all_listening(n))
        n->is_change_due = true;
}

static void do_ping(void *self, const void *arg)
{
    struct network_connector *n = self;
    const char *text = n->config.settings->network.probe;
    char host[ADDRESS_HOST_SIZE];
    struct address address;
    uint16_t port;

    (void)arg;
    if (text[0] == '\0') {
        queue(n, NETWORK_EV_INTERNET_SUCCESS);
    } else if (address_split(text, host, &port) != ERR_OK ||
               address_from_ip_text(&address, host, port) != ERR_OK) {
        log_warning("[network] probe = %s is not a numeric address with a port: probe skipped",
                    text);
        queue(n, NETWORK_EV_INTERNET_SUCCESS);
    } else {
        supervisor_probe_start(&n->probe, &address);
    }
}

static void do_remember_time(void *self, const void *arg)
{
    struct network_connector *n = self;

    (void)arg;
    n->has_round = true;
    n->round_at_ms = loop_now_ms(n->config.loop);
}

static void do_set_down(void *self, const void *arg)
{
    struct network_connector *n = self;

    (void)arg;
    for (unsigned i = 0; i < n->config.transport_count; i++)
        if (!network_transport_is_down(&n->config.transports[i]))
            network_transport_feed(&n->config.transports[i], TRANSPORT_EV_STOP);
    if (is_all_down(n))
        queue(n, NETWORK_EV_NETWORK_DOWN);
    else
        loop_set_timer(n->config.loop, &n->stop_limit,
                       n->config.settings->sessions.linger_ms + NETWORK_STOP_MARGIN_MS);
}

/* clang-format off */
#define ALWAYS         AUTOMAT_ALWAYS
#define DO(function)   AUTOMAT_DO(function)
#define DO_UPNP        { do_upnp, "doUPNP" }
#define RESET_TRUE     { set_reset, "Reset = true" }
#define RESET_FALSE    { clear_reset, "Reset = false" }
#define COLD_TRUE      { set_cold_start, "ColdStart = true" }
#define COLD_FALSE     { clear_cold_start, "ColdStart = false" }
#define DISCONNECTS_0  { clear_disconnects, "Disconnects = 0" }
#define DISCONNECTS_3  { disconnects_three, "Disconnects = 3" }
#define DISCONNECTS_UP { count_disconnect, "Disconnects += 1" }
#define NOTHING        { { NULL, NULL } }
#define TAKE_DOWN      { DISCONNECTS_0, RESET_FALSE, DO(do_set_down) }
#define RESET_DOWN     { RESET_FALSE, DISCONNECTS_0, DO(do_set_down) }
#define NEXT_ROUND     { DO(do_remember_time), DISCONNECTS_UP, RESET_FALSE, DO(do_set_down) }
#define NOT_ACTIVE     { if_not_active, "not isNetworkActive" }
#define ACTIVE_HERE    { if_active_here, "isNetworkActive, isCurrentInterfaceActive" }
#define ACTIVE_ELSE    { if_active_elsewhere, "isNetworkActive, not isCurrentInterfaceActive" }
#define COLD           { if_cold, "ColdStart" }
#define WARM           { if_warm, "not ColdStart, not isNeedUPNP" }
#define WARM_UPNP      { if_warm_upnp, "not ColdStart, isNeedUPNP" }
#define LISTENING      { if_all_listening, "not Reset, isAllReady, isAllListening" }
#define RESET_READY    { if_reset_and_ready, "Reset, isAllReady" }
#define NOT_LISTENING  { if_not_all_listening, "isAllReady, not isAllListening" }
#define RESET_OR_DEAD  { if_reset_or_dead, "Reset, or not isConnectionAlive" }
#define QUICK_OR_RESET { if_quick_or_reset, "Disconnects < 3, or Reset" }
#define TIME_PASSED    { if_time_passed, "isTimePassed" }

static const struct automat_row rows[] = {
    /* from                 event                        guard           to                    actions, left to right */
    { NETWORK_AT_STARTUP,   NETWORK_EV_INIT,             ALWAYS,         NETWORK_START_UP,     { DISCONNECTS_0, RESET_FALSE, COLD_TRUE, DO(do_check_network_interfaces) } },
    { NETWORK_START_UP,     NETWORK_EV_GOT_NETWORK_INFO, NOT_ACTIVE,     NETWORK_DISCONNECTED, { DISCONNECTS_3 } },
    { NETWORK_START_UP,     NETWORK_EV_RECONNECT,        ALWAYS,         NETWORK_UP,           { DO(do_set_up) } },
    { NETWORK_START_UP,     NETWORK_EV_CHECK_RECONNECT,  ALWAYS,         NETWORK_UP,           { DO(do_set_up) } },
    { NETWORK_UP,           NETWORK_EV_NETWORK_UP,       COLD,           NETWORK_TRANSPORTS,   { DO(do_cold_start_network_transports), COLD_FALSE } },
    { NETWORK_UP,           NETWORK_EV_NETWORK_UP,       WARM,           NETWORK_TRANSPORTS,   { DO(do_start_network_transports) } },
    { NETWORK_UP,           NETWORK_EV_NETWORK_UP,       WARM_UPNP,      NETWORK_UPNP,         { DO_UPNP } },
    { NETWORK_UP,           NETWORK_EV_RECONNECT,        ALWAYS,         NETWORK_UP,           { RESET_TRUE } },
    { NETWORK_UP,           NETWORK_EV_CHECK_RECONNECT,  ALWAYS,         NETWORK_UP,           { RESET_TRUE } },
    { NETWORK_UPNP,         NETWORK_EV_UPNP_DONE,        ALWAYS,         NETWORK_TRANSPORTS,   { DO(do_start_network_transports) } },
    { NETWORK_UPNP,         NETWORK_EV_RECONNECT,        ALWAYS,         NETWORK_UPNP,         { RESET_TRUE } },
    { NETWORK_UPNP,         NETWORK_EV_CHECK_RECONNECT,  ALWAYS,         NETWORK_UPNP,         { RESET_TRUE } },
    { NETWORK_TRANSPORTS,   NETWORK_EV_ALL_READY,        LISTENING,      NETWORK_CONNECTED,    NOTHING },
    { NETWORK_TRANSPORTS,   NETWORK_EV_VERIFIED,         LISTENING,      NETWORK_CONNECTED,    NOTHING },
    { NETWORK_TRANSPORTS,   NETWORK_EV_STATE_CHANGED,    LISTENING,      NETWORK_CONNECTED,    NOTHING },
    { NETWORK_TRANSPORTS,   NETWORK_EV_ALL_READY,        RESET_READY,    NETWORK_DOWN,         RESET_DOWN },
    { NETWORK_TRANSPORTS,   NETWORK_EV_VERIFIED,         RESET_READY,    NETWORK_DOWN,         RESET_DOWN },
    { NETWORK_TRANSPORTS,   NETWORK_EV_STATE_CHANGED,    RESET_READY,    NETWORK_DOWN,         RESET_DOWN },
    { NETWORK_TRANSPORTS,   NETWORK_EV_ALL_DISABLED,     RESET_READY,    NETWORK_DOWN,         RESET_DOWN },
    { NETWORK_TRANSPORTS,   NETWORK_EV_GATEWAY_OFF,      RESET_READY,    NETWORK_DOWN,         RESET_DOWN },
    { NETWORK_TRANSPORTS,   NETWORK_EV_ALL_DISABLED,     NOT_LISTENING,  NETWORK_DISCONNECTED, NOTHING },
    { NETWORK_TRANSPORTS,   NETWORK_EV_GATEWAY_OFF,      NOT_LISTENING,  NETWORK_DISCONNECTED, NOTHING },
    { NETWORK_TRANSPORTS,   NETWORK_EV_STATE_CHANGED,    NOT_LISTENING,  NETWORK_DISCONNECTED, NOTHING },
    { NETWORK_TRANSPORTS,   NETWORK_EV_RECONNECT,        ALWAYS,         NETWORK_TRANSPORTS,   { RESET_TRUE } },
    { NETWORK_TRANSPORTS,   NETWORK_EV_CHECK_RECONNECT,  ALWAYS,         NETWORK_TRANSPORTS,   { RESET_TRUE } },
    { NETWORK_CONNECTED,    NETWORK_EV_RECONNECT,        ALWAYS,         NETWORK_DOWN,         TAKE_DOWN },
    { NETWORK_CONNECTED,    NETWORK_EV_TIMER_5SEC,       RESET_OR_DEAD,  NETWORK_DOWN,         TAKE_DOWN },
    { NETWORK_CONNECTED,    NETWORK_EV_CHECK_RECONNECT,  ALWAYS,         NETWORK_TRANSPORTS,   { DO(do_verify_transports) } },
    { NETWORK_DOWN,         NETWORK_EV_NETWORK_DOWN,     ALWAYS,         NETWORK_NETWORK,      { DO(do_check_network_interfaces) } },
    { NETWORK_DOWN,         NETWORK_EV_RECONNECT,        ALWAYS,         NETWORK_DOWN,         { RESET_TRUE } },
    { NETWORK_NETWORK,      NETWORK_EV_RECONNECT,        ALWAYS,         NETWORK_NETWORK,      { RESET_TRUE } },
    { NETWORK_INTERNET,     NETWORK_EV_RECONNECT,        ALWAYS,         NETWORK_INTERNET,     { RESET_TRUE } },
    { NETWORK_NETWORK,      NETWORK_EV_GOT_NETWORK_INFO, NOT_ACTIVE,     NETWORK_DISCONNECTED, NOTHING },
    { NETWORK_NETWORK,      NETWORK_EV_GOT_NETWORK_INFO, ACTIVE_HERE,    NETWORK_INTERNET,     { DO(do_ping) } },
    { NETWORK_NETWORK,      NETWORK_EV_GOT_NETWORK_INFO, ACTIVE_ELSE,    NETWORK_UP,           { DO(do_set_up) } },
    { NETWORK_INTERNET,     NETWORK_EV_INTERNET_SUCCESS, ALWAYS,         NETWORK_UP,           { DO(do_set_up) } },
    { NETWORK_INTERNET,     NETWORK_EV_INTERNET_FAILED,  ALWAYS,         NETWORK_DISCONNECTED, NOTHING },
    { NETWORK_DISCONNECTED, NETWORK_EV_RECONNECT,        ALWAYS,         NETWORK_DOWN,         NEXT_ROUND },
    { NETWORK_DISCONNECTED, NETWORK_EV_CHECK_RECONNECT,  ALWAYS,         NETWORK_DOWN,         NEXT_ROUND },
    { NETWORK_DISCONNECTED, NETWORK_EV_TIMER_1HOUR,      ALWAYS,         NETWORK_DOWN,         NEXT_ROUND },
    { NETWORK_DISCONNECTED, NETWORK_EV_TIMER_5SEC,       QUICK_OR_RESET, NETWORK_DOWN,         NEXT_ROUND },
    { NETWORK_DISCONNECTED, NETWORK_EV_CONNECTION_DONE,  TIME_PASSED,    NETWORK_DOWN,         NEXT_ROUND },
};
/* clang-format on */

#define X(name, word) word,
static const char *const state_names[] = {NETWORK_CONNECTOR_STATES(X)};
static const char *const event_names[] = {NETWORK_CONNECTOR_EVENTS(X)};
#undef X

/* timer-5sec is periodic in CONNECTED and DISCONNECTED, timer-1hour in DISCONNECTED. */
static void set_timers(struct network_connector *n, uint8_t state)
{
    const struct settings *s = n->config.settings;

    loop_cancel_timer(n->config.loop, &n->timer_5sec);
    loop_cancel_timer(n->config.loop, &n->timer_1hour);
    if (state != NETWORK_DOWN)
        loop_cancel_timer(n->config.loop, &n->stop_limit);
    if (state == NETWORK_CONNECTED || state == NETWORK_DISCONNECTED)
        loop_set_timer(n->config.loop, &n->timer_5sec, s->network.retry_s * UINT64_C(1000));
    if (state == NETWORK_DISCONNECTED)
        loop_set_timer(n->config.loop, &n->timer_1hour, s->network.retry_long_s * UINT64_C(1000));
}

static void stepped(void *self, uint8_t from, uint8_t event, uint8_t to)
{
    struct network_connector *n = self;

    (void)event;
    if (from == to)
        return;
    supervisor_state_event_emit(n->config.events, EVENT_NETWORK_STATE, network_connector_kind.name,
                                "", state_names[from], state_names[to]);
    set_timers(n, to);
    n->is_settling = true;
}

const struct automat_kind network_connector_kind = {
    .name = "network_connector",
    .state_names = state_names,
    .event_names = event_names,
    .state_count = NETWORK_STATE_COUNT,
    .event_count = NETWORK_EVENT_COUNT,
    .first = NETWORK_AT_STARTUP,
    .last = NETWORK_STATE_COUNT, /* no last state */
    .rows = rows,
    .row_count = sizeof rows / sizeof rows[0],
    .stepped = stepped,
};

static void process_change(struct network_connector *n)
{
    n->is_change_due = false;
    if (n->automat.state == NETWORK_DOWN && is_all_down(n))
        automat_feed(&n->automat, NETWORK_EV_NETWORK_DOWN, NULL);
    automat_feed(&n->automat, NETWORK_EV_STATE_CHANGED, NULL);
}

/* After each external event: processes the changes of transports that it caused, then reports the
 * new state. */
static void settle(struct network_connector *n)
{
    if (n->automat.is_running)
        return;
    while (n->is_change_due)
        process_change(n);
    if (!n->is_settling)
        return;
    n->is_settling = false;
    if (n->config.settled != NULL)
        n->config.settled(n->config.ctx, n->automat.state);
}

void network_connector_feed(struct network_connector *n, enum network_connector_event event)
{
    if (n->is_ended)
        return;
    automat_feed(&n->automat, (uint8_t)event, NULL);
    settle(n);
}

void network_connector_transport_changed(struct network_connector *n)
{
    if (n->is_ended)
        return;
    n->is_change_due = true;
    settle(n);
}

static void fire_5sec(struct timer *timer, void *ctx)
{
    struct network_connector *n = ctx;

    loop_set_timer(n->config.loop, timer, n->config.settings->network.retry_s * UINT64_C(1000));
    network_connector_feed(n, NETWORK_EV_TIMER_5SEC);
}

static void fire_1hour(struct timer *timer, void *ctx)
{
    struct network_connector *n = ctx;

    loop_set_timer(n->config.loop, timer,
                   n->config.settings->network.retry_long_s * UINT64_C(1000));
    network_connector_feed(n, NETWORK_EV_TIMER_1HOUR);
}

static void fire_stop_limit(struct timer *timer, void *ctx)
{
    (void)timer;
    log_warning("stop limit reached: a transport is still stopping; continuing without it");
    network_connector_feed(ctx, NETWORK_EV_NETWORK_DOWN);
}

static void probe_done(void *ctx, enum err result)
{
    struct network_connector *n = ctx;

    n->probe_result = result;
    network_connector_feed(n, result == ERR_OK ? NETWORK_EV_INTERNET_SUCCESS
                                               : NETWORK_EV_INTERNET_FAILED);
}

void network_connector_init(struct network_connector *n,
                            const struct network_connector_config *config)
{
    *n = (struct network_connector){.config = *config};
    n->timer_5sec = (struct timer){.fire = fire_5sec, .ctx = n};
    n->timer_1hour = (struct timer){.fire = fire_1hour, .ctx = n};
    n->stop_limit = (struct timer){.fire = fire_stop_limit, .ctx = n};
    supervisor_probe_init(&n->probe, config->loop, probe_done, n);
    automat_init(&n->automat, &network_connector_kind, n);
}

void network_connector_end(struct network_connector *n)
{
    n->is_ended = true;
    loop_cancel_timer(n->config.loop, &n->timer_5sec);
    loop_cancel_timer(n->config.loop, &n->timer_1hour);
    loop_cancel_timer(n->config.loop, &n->stop_limit);
    supervisor_probe_cancel(&n->probe);
}

bool network_connector_will_start(const struct network_connector *n)
{
    switch (n->automat.state) {
    case NETWORK_DOWN:
    case NETWORK_NETWORK:
    case NETWORK_INTERNET:
    case NETWORK_UP:
    case NETWORK_UPNP:
        return true;
    default:
        return false;
    }
}

unsigned network_connector_next_round_s(const struct network_connector *n)
{
    uint64_t now_ms = loop_now_ms(n->config.loop), at_ms;

    if (n->automat.state != NETWORK_DISCONNECTED || n->is_ended)
        return 0;
    at_ms = n->timer_1hour.deadline_ms;
    if ((n->disconnects < NETWORK_QUICK_TRIES || n->reset) && n->timer_5sec.deadline_ms < at_ms)
        at_ms = n->timer_5sec.deadline_ms;
    return at_ms <= now_ms ? 0 : (unsigned)((at_ms - now_ms + 999) / 1000);
}
