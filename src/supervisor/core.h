/* The supervisor's state, for the files that handle its requests. Owned by its thread, except
 * `is_done_posted`. */
#ifndef SUPERVISOR_CORE_H
#define SUPERVISOR_CORE_H

#include "loop/loop.h"
#include "supervisor/config.h"
#include "supervisor/net_watch.h"
#include "supervisor/network_connector.h"
#include "supervisor/network_transport.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The options of the gateway's last connect, which override the settings; "": not given. */
struct gateway_overrides {
    bool is_connected; /* false: no transport is enabled */
    char idurl[SETTINGS_TEXT_SIZE];
    char host[ADDRESS_HOST_SIZE];
    char tcp_port[8];
};

struct supervisor_change;

struct supervisor {
    struct supervisor_config config;
    struct settings_in_force in_force; /* of the files */
    struct settings_in_force acting;   /* in_force with the gateway's overrides */
    bool is_remote;                    /* the gateway is another process */
    struct gateway_overrides overrides;
    struct loop *loop;
    struct supervisor_net_watch net_watch;
    struct network_connector connector;
    struct network_transport transports[GATEWAY_TRANSPORTS_MAX];
    unsigned transport_count;
    uint64_t started_us; /* clock_boot_us */
    bool is_stopping;
    bool is_stopped;          /* on_stopped has been posted */
    bool is_ended;            /* the thread has ended: requests that still arrive are refused */
    char warned[REASON_SIZE]; /* the last reason for DISCONNECTED logged as a warning */
    struct loop *files;       /* the thread that reads and writes the settings files */
    struct supervisor_change *change; /* running in that thread; NULL: none */
    struct message_list queued;       /* requests for the next changes */
    unsigned queued_count;
    struct message_list applied; /* requests that wait until the transports are up again */
    struct timer applied_limit;  /* of all of them */
    struct message connection_done;
    atomic_bool is_done_posted;
};

static inline void supervisor_core_notify(const struct supervisor *s, enum supervisor_notice notice,
                                          const char *text)
{
    if (s->config.notify != NULL)
        s->config.notify(s->config.notify_ctx, notice, text);
}

#endif
