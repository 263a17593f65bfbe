/* The transports of this program: the one place that names them. Another one is a row in
 * transports.c and its room. Main thread. */
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
    struct transport_table table; /* does not change from transports_open on */
    struct transport_row rows[GATEWAY_TRANSPORTS_MAX];
    bool is_running[GATEWAY_TRANSPORTS_MAX];
};

/* An error leaves what was opened to transports_close. */
enum err transports_open(struct transports *t, const struct transports_config *config);
/* Starts their threads; nothing listens yet. An error is in the log, and leaves what was started to
 * transports_stop. */
enum err transports_start(struct transports *t);
/* Ends the threads of those that run. */
void transports_stop(struct transports *t);
void transports_close(struct transports *t);

#endif
