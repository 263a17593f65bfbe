/* Connections at a TCP address that have not shown who they are: one that has not sent the head of
 * its first request in time is cut off, however it spreads its bytes, so that strangers cannot hold
 * every place that there is. Everything belongs to the loop's thread. */
#ifndef CONTROL_HTTP_NEWCOMER_H
#define CONTROL_HTTP_NEWCOMER_H

#include "loop/loop.h"

#include <stdint.h>
#include <sys/queue.h>

enum { HTTP_HEAD_TIMEOUT_MS = 10000 };

struct http_newcomer;
struct http_newcomers {
    struct loop *loop;
    struct timer timer;
    TAILQ_HEAD(, http_newcomer) list; /* oldest first */
};

void http_newcomers_init(struct http_newcomers *all, struct loop *loop);
/* After the last connection is gone. */
void http_newcomers_fini(struct http_newcomers *all);

/* `fd` stays the connection's. NULL without memory: then nobody watches it. */
struct http_newcomer *http_newcomer_new(struct http_newcomers *all, int fd);
/* Its first request has come. At ease with NULL, and with one that is known already. */
void http_newcomer_is_known(struct http_newcomer *newcomer);
/* The connection is closed. At ease with NULL. */
void http_newcomer_free(struct http_newcomer *newcomer);

#endif
