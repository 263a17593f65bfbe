/* The state of one transport (tcp_transport; later udp_transport): AUTOMATA, network_transport.
 * Calls the transport only through transport_ops: `connect` and `disconnect` are requests whose
 * answers are posted to the supervisor's mailbox and become `receiving-started`, `failed` and
 * `stopped`. Supervisor thread only.
 *
 *   AT_STARTUP  created, not initialized
 *   INIT        waits for `transport-initialized`
 *   OFFLINE     nothing is open; waits for `start`
 *   STARTING    a connect is in progress; ends with its answer
 *   LISTENING   serving; ends with `stop`, `restart` or `shutdown`
 *   STOPPING    a disconnect is in progress; ends with its answer
 *   CLOSED      final. A connect or disconnect may still be in progress: `ended` follows it */
#ifndef SUPERVISOR_NETWORK_TRANSPORT_H
#define SUPERVISOR_NETWORK_TRANSPORT_H

#include "engine/automat.h"
#include "gateway/gateway.h"
#include "loop/mailbox.h"

#include <stdbool.h>
#include <stdint.h>

#define NETWORK_TRANSPORT_STATES(X)       \
    X(TRANSPORT_AT_STARTUP, "AT_STARTUP") \
    X(TRANSPORT_INIT, "INIT")             \
    X(TRANSPORT_STARTING, "STARTING")     \
    X(TRANSPORT_LISTENING, "LISTENING")   \
    X(TRANSPORT_STOPPING, "STOPPING")     \
    X(TRANSPORT_OFFLINE, "OFFLINE")       \
    X(TRANSPORT_CLOSED, "CLOSED")

#define NETWORK_TRANSPORT_EVENTS(X)                        \
    X(TRANSPORT_EV_INIT, "init")                           \
    X(TRANSPORT_EV_START, "start")                         \
    X(TRANSPORT_EV_RESTART, "restart")                     \
    X(TRANSPORT_EV_STOP, "stop")                           \
    X(TRANSPORT_EV_SHUTDOWN, "shutdown")                   \
    X(TRANSPORT_EV_INITIALIZED, "transport-initialized")   \
    X(TRANSPORT_EV_RECEIVING_STARTED, "receiving-started") \
    X(TRANSPORT_EV_FAILED, "failed")                       \
    X(TRANSPORT_EV_STOPPED, "stopped")

enum network_transport_state {
#define X(name, word) name,
    NETWORK_TRANSPORT_STATES(X)
#undef X
        TRANSPORT_STATE_COUNT
};
enum network_transport_event {
#define X(name, word) name,
    NETWORK_TRANSPORT_EVENTS(X)
#undef X
        TRANSPORT_EVENT_COUNT
};

struct network_transport;

struct network_transport_config {
    struct gateway *gateway;
    struct gateway_transport *registered; /* its state and is_listening are updated here */
    struct event_sink *events;            /* can be NULL */
    struct mailbox *answer_to;            /* the supervisor's */
    void *ctx;
    /* Called after a step that changed the state, once all its actions have run. */
    void (*changed)(void *ctx, struct network_transport *t);
    /* Called once: CLOSED, and no connect or disconnect is in progress. */
    void (*ended)(void *ctx, struct network_transport *t);
};

struct network_transport {
    struct automat automat;
    struct network_transport_config config;
    bool start_now, stop_now;
    bool is_changed; /* `changed` must still be called */
    bool is_start_pending, is_stop_pending;
    bool is_ended;
    uint64_t grace_ms; /* of the next disconnect; 0 except for a shutdown */
    struct transport_start start;
    struct transport_stop stop;
    char host[REASON_SIZE];       /* the bound address, "" if none */
    char last_error[REASON_SIZE]; /* of the last start, "" if it succeeded */
};

void network_transport_init(struct network_transport *t,
                            const struct network_transport_config *config);

/* Can be called from an action: the event is queued. */
void network_transport_feed(struct network_transport *t, enum network_transport_event event);

/* Feeds `shutdown`; transfers in progress have `grace_ms` to finish. */
void network_transport_shutdown(struct network_transport *t, uint64_t grace_ms);

/* Its name in contacts: "tcp". */
const char *network_transport_proto(const struct network_transport *t);

/* True if nothing is open, opening or closing. */
bool network_transport_is_down(const struct network_transport *t);

#endif
