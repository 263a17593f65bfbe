/* The life of one transport (tcp_transport; later udp_transport): AUTOMATA, network_transport.
 * Reaches the transport only through transport_ops: `connect` and `disconnect` are requests whose
 * answers come to the supervisor's mailbox and become `receiving-started`, `failed` and `stopped`.
 * Supervisor thread only.
 *
 *   AT_STARTUP  made, not yet initialized
 *   INIT        waits until the transport says that it is there
 *   OFFLINE     nothing is open; waits for `start`
 *   STARTING    a connect is under way; ends with its answer
 *   LISTENING   serves; ends with `stop`, `restart` or `shutdown`
 *   STOPPING    a disconnect is under way; ends with its answer
 *   CLOSED      over. A connect or disconnect may still be under way: `ended` tells when none is */
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
    struct gateway_transport *registered; /* state and is_listening are kept up to date */
    struct event_sink *events;            /* may be NULL */
    struct mailbox *answer_to;            /* the supervisor's */
    void *ctx;
    /* After a step that changed the state, when all its actions are through. */
    void (*changed)(void *ctx, struct network_transport *t);
    /* CLOSED and nothing under way any more; once. */
    void (*ended)(void *ctx, struct network_transport *t);
};

struct network_transport {
    struct automat automat;
    struct network_transport_config config;
    bool start_now, stop_now;
    bool is_changed; /* `changed` is still to be called */
    bool is_start_under_way, is_stop_under_way;
    bool is_ended;
    uint64_t grace_ms; /* of the next disconnect; 0 but for a shutdown */
    struct transport_start start;
    struct transport_stop stop;
    char host[REASON_SIZE];       /* what is bound, "" if nothing */
    char last_error[REASON_SIZE]; /* of the last start, "" if it went well */
};

void network_transport_init(struct network_transport *t,
                            const struct network_transport_config *config);

/* May be called from inside an action: the event waits its turn. */
void network_transport_feed(struct network_transport *t, enum network_transport_event event);

/* Feeds `shutdown`; files under way may finish for `grace_ms`. */
void network_transport_shutdown(struct network_transport *t, uint64_t grace_ms);

/* Its name in contacts: "tcp". */
const char *network_transport_proto(const struct network_transport *t);

/* True if nothing is open, opening or closing. */
bool network_transport_is_down(const struct network_transport *t);

#endif
