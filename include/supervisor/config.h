/* The configuration of a supervisor, and its notices for a service manager. */
#ifndef SUPERVISOR_CONFIG_H
#define SUPERVISOR_CONFIG_H

#include "gateway/gateway.h"
#include "loop/mailbox.h"
#include "settings/settings.h"

/* State changes for a service manager. */
enum supervisor_notice {
    SUPERVISOR_NOTICE_SETTLED,   /* CONNECTED or DISCONNECTED; the first one completes the start */
    SUPERVISOR_NOTICE_RELOADING, /* a reload has begun */
    SUPERVISOR_NOTICE_RELOADED,  /* the reload succeeded or failed */
    SUPERVISOR_NOTICE_STOPPING,
};
/* `text` is human-readable. */
typedef void supervisor_notify_fn(void *ctx, enum supervisor_notice notice, const char *text);

struct supervisor_config {
    struct settings_paths paths; /* of a reload; file NULL: a reload fails with that reason. The
                                  * strings stay the caller's and valid. */
    struct settings_in_force in_force;
    struct gateway *gateway; /* transports registered; owned by the supervisor from start to stop */
    const struct transport_table *transports; /* in the order of registration with the gateway */
    struct event_sink *events;
    /* Posted (by mailbox_answer) when the stop is complete: every transport is CLOSED. */
    struct mailbox *stopped_to;
    struct message *stopped;
    message_fn *on_stopped;
    supervisor_notify_fn *notify; /* called in the supervisor's thread; can be NULL */
    void *notify_ctx;
};

#endif
