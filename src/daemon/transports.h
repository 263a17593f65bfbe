/* The transports of this program: the only place that names them. Adding one takes a row in
 * transports.c and a room. Main thread. */
#ifndef DAEMON_TRANSPORTS_H
#define DAEMON_TRANSPORTS_H

#include "base/err.h"
#include "gateway/gateway.h"
#include "gateway/transport_table.h"
#include "settings/settings.h"
#include "store/commit/committer.h"
#include "store/inbox/inbox.h"

#include <stdbool.h>

struct transports_config {
    const struct settings *settings;
    struct gateway *gateway; /* each is registered with it */
    struct event_sink *events;
    struct inbox *inbox;
    struct committer *committer;
    void (*connection_done)(void *ctx); /* any thread: an outgoing connect succeeded */
    void *connection_done_ctx;
};

struct transports {
    struct transport_table table; /* constant after transports_open */
    struct transport_row rows[GATEWAY_TRANSPORTS_MAX];
    bool is_running[GATEWAY_TRANSPORTS_MAX];
};

/* On failure the caller still calls transports_close. */
enum err transports_open(struct transports *t, const struct transports_config *config);
/* Starts their threads; nothing listens yet. An error is logged, and the caller still calls
 * transports_stop. */
enum err transports_start(struct transports *t);
/* Stops the threads of those that run. */
void transports_stop(struct transports *t);
void transports_close(struct transports *t);

#endif
