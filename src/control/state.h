/* State shared by replies, waiters and methods. Belongs to the control thread. */
#ifndef CONTROL_STATE_H
#define CONTROL_STATE_H

#include "control/config.h"
#include "loop/loop.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <sys/queue.h>

struct control_event_ring;
struct control_quota;
struct http_server;
struct method_received_reader;
struct control_send_table;
struct outbox_spool;

/* Kinds of pending calls, each with its own limit. */
enum control_pending_kind {
    CONTROL_PENDING_PEERS,  /* waits for a peer */
    CONTROL_PENDING_DAEMON, /* waits for another thread, at once unless that is blocked */
    CONTROL_PENDING_KINDS
};

struct control {
    struct control_config config;
    char gateway_url[SETTINGS_TEXT_SIZE]; /* of the remote gateway; "": none */
    struct loop *loop;
    struct http_server *http;     /* the Unix socket */
    struct http_server *http_tcp; /* NULL without [control] listen */
    struct control_event_ring *ring;
    struct control_send_table *sends;
    struct control_quota *quota;
    struct method_received_reader *reader;
    struct outbox_spool *spool; /* files streamed by clients */
    struct timer housekeeping;
    bool has_updates;    /* new events or results; waiters are checked after the turn */
    bool is_stopping;    /* new calls are refused */
    bool is_socket_lost; /* the Unix socket's file was removed and could not be recreated */
    unsigned event_waiters;
    unsigned outstanding;                           /* requests to other threads */
    unsigned pending_counts[CONTROL_PENDING_KINDS]; /* of these, the ones in `pending` */
    LIST_HEAD(, control_pending) pending;
    LIST_HEAD(, control_waiter) waiters;
};

#endif
