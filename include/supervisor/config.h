/* What a supervisor is opened with, and what it tells a service manager. */
#ifndef SUPERVISOR_CONFIG_H
#define SUPERVISOR_CONFIG_H

#include "gateway/gateway.h"
#include "loop/mailbox.h"
#include "settings/settings.h"

/* What a service manager wants to know. `text` is a sentence for people. */
enum supervisor_news {
    SUPERVISOR_NEWS_SETTLED,   /* connected, or for now not: the first one ends the start */
    SUPERVISOR_NEWS_RELOADING, /* the settings are being read again ... */
    SUPERVISOR_NEWS_RELOADED,  /* ... and have been taken in, or not */
    SUPERVISOR_NEWS_STOPPING,
};
typedef void supervisor_news_fn(void *ctx, enum supervisor_news news, const char *text);

struct supervisor_config {
    struct settings_paths paths; /* read again by a reload; file NULL: a reload says so. The texts
                                  * stay the caller's and where they are. */
    struct settings_in_force in_force;
    struct gateway
        *gateway; /* its transports are registered; the supervisor's from start to stop */
    const struct transport_table *transports; /* as registered with the gateway, in that order */
    struct event_sink *events;
    /* Posted (by mailbox_answer) when a stop is complete: every transport is CLOSED. */
    struct mailbox *stopped_to;
    struct message *stopped;
    message_fn *on_stopped;
    supervisor_news_fn *news; /* called in the supervisor's thread; may be NULL */
    void *news_ctx;
};

#endif
