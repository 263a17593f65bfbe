/* The state of the network: AUTOMATA, network_connector. Starts the enabled transports, keeps them
 * up, and restarts them when the network or the settings change. One instance, run by the
 * supervisor thread.
 *
 *   AT_STARTUP    created
 *   START_UP      has checked the interfaces; waits for the first `reconnect`
 *   UP            starts the transports immediately
 *   UPNP          port mapping in progress (unused: isNeedUPNP is false)
 *   TRANSPORTS?   waits until every enabled transport is OFFLINE or LISTENING
 *   CONNECTED     every enabled transport is LISTENING; checked again by timer-5sec
 *   DOWN          stopping the transports; ends with the last one, or at the stop limit
 *   NETWORK?      checks the interfaces
 *   INTERNET?     connects to the probe address, if one is set
 *   DISCONNECTED  waits for a timer, a change of addresses or a command */
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
    NETWORK_STOP_MARGIN_MS = 5000, /* the stop limit is this plus the sessions' linger */
    NETWORK_QUICK_TRIES = 3,       /* of Disconnects: rounds by timer-5sec before timer-1hour */
};

struct network_connector_config {
    struct loop *loop; /* timers and the probe's socket */
    struct network_transport *transports;
    unsigned transport_count;
    const struct settings *settings; /* in force; updated in place by the supervisor */
    struct event_sink *events;       /* can be NULL */
    bool (*has_address)(void);       /* isNetworkActive */
    void *ctx;
    /* Called after an event and those it caused, if the state has changed. Can be NULL. */
    void (*settled)(void *ctx, enum network_connector_state state);
};

struct network_connector {
    struct automat automat;
    struct network_connector_config config;
    bool reset, cold_start;
    unsigned disconnects;
    bool is_network_active, is_current_interface_active; /* set by doCheckNetworkInterfaces */
    bool is_change_due; /* a transport's change is not processed yet */
    bool is_settling;   /* `settled` must still be called */
    bool is_ended;
    uint64_t round_at_ms;
    bool has_round;
    struct timer timer_5sec, timer_1hour, stop_limit;
    struct supervisor_probe probe;
    enum err probe_result; /* of the last probe */
};

void network_connector_init(struct network_connector *n,
                            const struct network_connector_config *config);
/* Cancels the timers and the probe; every later event is ignored. For the stop of the daemon. */
void network_connector_end(struct network_connector *n);

/* Can be called from an action: the event is queued. */
void network_connector_feed(struct network_connector *n, enum network_connector_event event);

/* A transport changed its state; several changes within one step are processed as one. */
void network_connector_transport_changed(struct network_connector *n);

/* True during a round that has not started the transports yet: it will start those enabled by then,
 * and a `reconnect` would only add a second round. */
bool network_connector_will_start(const struct network_connector *n);

/* Seconds until a timer starts the next round, in DISCONNECTED; 0 in other states. */
unsigned network_connector_next_round_s(const struct network_connector *n);

#endif
