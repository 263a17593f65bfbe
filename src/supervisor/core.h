/* What the supervisor's thread owns, for the files that answer requests with it. All of it belongs
 * to that thread, but `is_done_posted`. */
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

/* Of the gateway's last connect: options that go over the settings, "" where it gave none. */
struct gateway_wish {
    bool is_connected; /* else nothing is enabled */
    char idurl[SETTINGS_TEXT_SIZE];
    char host[ADDRESS_HOST_SIZE];
    char tcp_port[8];
};

struct supervisor_change;

struct supervisor {
    struct supervisor_config config;
    struct settings_in_force in_force; /* as the files say */
    struct settings_in_force acting;   /* with what the gateway's connect put over it */
    bool is_remote;                    /* the gateway is another process */
    struct gateway_wish wish;
    struct loop *loop;
    struct supervisor_net_watch net_watch;
    struct network_connector connector;
    struct network_transport transports[GATEWAY_TRANSPORTS_MAX];
    unsigned transport_count;
    uint64_t started_us; /* clock_boot_us */
    bool is_stopping;
    bool is_stopped;          /* on_stopped has been posted */
    bool is_over;             /* the thread has ended: what still arrives is only given back */
    char warned[REASON_SIZE]; /* why not connected, as last told at warning */
    struct loop *files;       /* the thread that reads and writes the settings' files */
    struct supervisor_change *change; /* with that thread; NULL: none */
    struct message_list waiting;      /* requests for the changes behind it */
    unsigned waiting_count;
    struct message_list changing; /* requests that wait for the transports to be up again */
    struct timer change_limit;    /* for all of them */
    struct message connection_done;
    atomic_bool is_done_posted;
};

static inline void supervisor_core_tell_news(const struct supervisor *s, enum supervisor_news news,
                                             const char *text)
{
    if (s->config.news != NULL)
        s->config.news(s->config.news_ctx, news, text);
}

#endif
