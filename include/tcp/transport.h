/* The tcp transport as transport_ops: the public interface of this directory. The daemon opens one,
 * registers it with the gateway, and starts and stops its threads (acceptor, workers, resolver). */
#ifndef TCP_TRANSPORT_H
#define TCP_TRANSPORT_H

#include "base/err.h"
#include "gateway/gateway.h"
#include "gateway/transport_table.h"
#include "settings/settings.h"
#include "store/commit/committer.h"
#include "store/inbox/inbox.h"
#include "tcp/message.h"

struct tcp_transport;

struct tcp_transport_config {
    const struct settings *settings; /* copied, as in every config below */
    struct gateway *gateway;
    struct event_sink *events;
    struct inbox *inbox;
    struct committer *committer;
    struct passed_sockets passed;
    /* Any thread: an outgoing connect succeeded (network_connector's connection-done). May be NULL.
     */
    void (*connection_done)(void *ctx);
    void *connection_done_ctx;
};

enum err tcp_transport_open(struct tcp_transport **out, const struct tcp_transport_config *config);
/* Starts the threads; nothing listens yet. */
enum err tcp_transport_start(struct tcp_transport *tcp);
/* Stops the threads; open sessions are closed at once, their files reported as failed. */
void tcp_transport_stop(struct tcp_transport *tcp);
void tcp_transport_close(struct tcp_transport **tcp);

/* Its row in the table of transports: self is a struct tcp_transport. */
extern const struct transport_ops tcp_transport_ops;
extern const struct service tcp_transport_service;
struct transport_preferences tcp_transport_preferences(const struct settings *s);

#endif
