/* What replies, waiters and methods work on. Belongs to the control thread. */
#ifndef CONTROL_STATE_H
#define CONTROL_STATE_H

#include "control/config.h"
#include "loop/loop.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <sys/queue.h>

struct control_event_ring;
struct control_held;
struct http_server;
struct method_received_reader;
struct control_send_table;
struct outbox_spool;

/* What a call is about says how long it may be away: a peer, or the daemon, which answers at once
 * as long as none of its threads stands still. */
enum control_asked_kind {
    CONTROL_ASKED_ABOUT_PEERS,
    CONTROL_ASKED_ABOUT_DAEMON,
    CONTROL_ASKED_KINDS
};

struct control {
    struct control_config config;
    char gateway_url[SETTINGS_TEXT_SIZE]; /* of the remote gateway; "": there was none */
    struct loop *loop;
    struct http_server *http;     /* the Unix socket */
    struct http_server *http_tcp; /* NULL without [control] listen */
    struct control_event_ring *ring;
    struct control_send_table *sends;
    struct control_held *held;
    struct method_received_reader *reader;
    struct outbox_spool *spool; /* files that were streamed here */
    struct timer looking;
    bool has_news;       /* events or outcomes that waiters may want, told after the turn */
    bool is_stopping;    /* calls are not taken any more */
    bool is_unreachable; /* the Unix socket's file is gone and could not be made again */
    unsigned event_waiters;
    unsigned away;                              /* requests that have not come back */
    unsigned asked_counts[CONTROL_ASKED_KINDS]; /* of these, the ones in `asked` */
    LIST_HEAD(, control_asked) asked;
    LIST_HEAD(, control_waiter) waiters;
};

#endif
