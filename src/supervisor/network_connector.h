/* The life of the network: AUTOMATA, network_connector. Brings the enabled transports up, sees that
 * they stay up, and takes everything down and up again when the network or the settings change.
 * One, run by the supervisor thread.
 *
 *   AT_STARTUP    made
 *   START_UP      has looked at the interfaces once; waits for the first `reconnect`
 *   UP            passes at once to the transports
 *   UPNP          port mapping under way (never yet: isNeedUPNP is false)
 *   TRANSPORTS?   waits until every enabled transport is OFFLINE or LISTENING
 *   CONNECTED     every enabled transport is LISTENING; timer-5sec looks again
 *   DOWN          the transports are being stopped; ends with the last, or at the stop limit
 *   NETWORK?      looks at the interfaces
 *   INTERNET?     asks the probe address, if there is one
 *   DISCONNECTED  waits for a timer, a change of addresses, a command */
#ifndef SUPERVISOR_NETWORK_CONNECTOR_H
#define SUPERVISOR_NETWORK_CONNECTOR_H

#include "engine/automat.h"
#include "loop/loop.h"
#include "settings/settings.h"
#include "supervisor/network_transport.h"
#include "supervisor/probe.h"

#include <stdbool.h>
#include <stdint.h>

#define NETWORK_CONNECTOR_STATES(X)      \
    X(NETWORK_AT_STARTUP, "AT_STARTUP")  \
    X(NETWORK_START_UP, "START_UP")      \
    X(NETWORK_UP, "UP")                  \
    X(NETWORK_UPNP, "UPNP")              \
    X(NETWORK_TRANSPORTS, "TRANSPORTS?") \
    X(NETWORK_CONNECTED, "CONNECTED")    \
    X(NETWORK_DOWN, "DOWN")              \
    X(NETWORK_NETWORK, "NETWORK?")       \
    X(NETWORK_INTERNET, "INTERNET?")     \
    X(NETWORK_DISCONNECTED, "DISCONNECTED")

#define NETWORK_CONNECTOR_EVENTS(X)                                \
    X(NETWORK_EV_INIT, "init")                                     \
    X(NETWORK_EV_GOT_NETWORK_INFO, "got-network-info")             \
    X(NETWORK_EV_RECONNECT, "reconnect")                           \
    X(NETWORK_EV_CHECK_RECONNECT, "check-reconnect")               \
    X(NETWORK_EV_NETWORK_UP, "network-up")                         \
    X(NETWORK_EV_UPNP_DONE, "upnp-done")                           \
    X(NETWORK_EV_ALL_READY, "all-network-transports-ready")        \
    X(NETWORK_EV_VERIFIED, "network-transports-verified")          \
    X(NETWORK_EV_STATE_CHANGED, "network-transport-state-changed") \
    X(NETWORK_EV_ALL_DISABLED, "all-network-transports-disabled")  \
    X(NETWORK_EV_GATEWAY_OFF, "gateway-is-not-started")            \
    X(NETWORK_EV_TIMER_5SEC, "timer-5sec")                         \
    X(NETWORK_EV_TIMER_1HOUR, "timer-1hour")                       \
    X(NETWORK_EV_NETWORK_DOWN, "network-down")                     \
    X(NETWORK_EV_INTERNET_SUCCESS, "internet-success")             \
    X(NETWORK_EV_INTERNET_FAILED, "internet-failed")               \
    X(NETWORK_EV_CONNECTION_DONE, "connection-done")

enum network_connector_state {
#define X(name, word) name,
    NETWORK_CONNECTOR_STATES(X)
#undef X
        NETWORK_STATE_COUNT
};
enum network_connector_event {
#define X(name, word) name,
    NETWORK_CONNECTOR_EVENTS(X)
#undef X
        NETWORK_EVENT_COUNT
};

enum {
    NETWORK_ROUND_MS = 15000,      /* isTimePassed */
    NETWORK_STOP_MARGIN_MS = 5000, /* the stop limit: this and the sessions' linger */
    NETWORK_QUICK_TRIES = 3,       /* Disconnects: so many rounds by timer-5sec, then timer-1hour */
};

struct network_connector_config {
    struct loop *loop; /* timers and the probe's socket */
    struct network_transport *transports;
    unsigned transport_count;
    const struct settings *settings; /* in force; the supervisor changes what is behind it */
    struct event_sink *events;       /* may be NULL */
    bool (*has_address)(void);       /* isNetworkActive */
    void *ctx;
    /* After an event, and all that followed from it, that led to another state. May be NULL. */
    void (*settled)(void *ctx, enum network_connector_state state);
};

struct network_connector {
    struct automat automat;
    struct network_connector_config config;
    bool reset, cold_start;
    unsigned disconnects;
    bool is_network_active,
        is_current_interface_active; /* as doCheckNetworkInterfaces found them */
    bool is_change_due;              /* a transport changed while a step was running */
    bool is_settling;                /* `settled` is still to be called */
    bool is_over;
    uint64_t round_at_ms;
    bool has_round;
    struct timer timer_5sec, timer_1hour, stop_limit;
    struct supervisor_probe probe;
    enum err probe_result; /* of the last probe */
};

void network_connector_init(struct network_connector *n,
                            const struct network_connector_config *config);
/* No event has any effect after this: timers and probe are cancelled. The daemon stops. */
void network_connector_end(struct network_connector *n);

/* May be called from inside an action: the event waits its turn. */
void network_connector_feed(struct network_connector *n, enum network_connector_event event);

/* A transport changed its state; several changes inside one step are told as one. */
void network_connector_transport_changed(struct network_connector *n);

/* True while a round is under way that has not come to start the transports: it will start what is
 * wanted by then, and a `reconnect` would only make a second round of it. */
bool network_connector_will_start(const struct network_connector *n);

/* In DISCONNECTED: seconds until the next round by a timer. 0 elsewhere. */
unsigned network_connector_next_round_s(const struct network_connector *n);

#endif
