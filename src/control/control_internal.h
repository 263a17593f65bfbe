/* What every method needs: the control itself. Belongs to the control thread. */
#ifndef CONTROL_CONTROL_INTERNAL_H
#define CONTROL_CONTROL_INTERNAL_H

#include "control/control.h"
#include "control/reply.h"
#include "loop/loop.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <sys/queue.h>

struct event_ring;
struct held;
struct http;
struct received_reader;
struct sends;
struct spool;

struct control {
    struct control_config config;
    char gateway_url[SETTINGS_TEXT_SIZE]; /* of the remote gateway; "": there was none */
    struct loop *loop;
    struct http *http;     /* the Unix socket */
    struct http *http_tcp; /* NULL without [control] listen */
    struct event_ring *ring;
    struct sends *sends;
    struct held *held;
    struct received_reader *reader;
    struct spool *spool; /* files that were streamed here */
    struct timer looking;
    bool has_news;       /* events or outcomes that waiters may want, told after the turn */
    bool is_stopping;    /* calls are not taken any more */
    bool is_unreachable; /* the Unix socket's file is gone and could not be made again */
    unsigned event_waiters;
    unsigned away;                      /* requests that have not come back */
    unsigned asked_counts[ASKED_KINDS]; /* of these, the ones in `asked` */
    LIST_HEAD(, asked) asked;
    LIST_HEAD(, waiter) waiters;
};

#endif
