/* Connections at a TCP address, beside libmicrohttpd, which is slow to let go of those that lead to
 * nothing. Two kinds are cut off, so that strangers cannot hold every place that there is:
 *
 * - a newcomer that has not sent the head of its first request in time, however it spreads its
 *   bytes;
 * - one that hung up in the middle of a request. libmicrohttpd reads until a read comes back short
 *   and waits for the next event then, but an end that came in together with the last bytes is no
 *   event any more: it would see it when its own timeout is over.
 *
 * A client may close its half as soon as its request is whole (shutdown(2), `nc -N`), and gets its
 * answer: while a request is being answered, nobody looks at the connection here. From the other
 * side a client that went away looks the same; it costs the one answer that it asked for.
 *
 * Everything belongs to the loop's thread. */
#ifndef HTTP_PEER_H
#define HTTP_PEER_H

#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum { HTTP_HEAD_TIMEOUT_MS = 10000 };

struct http_peer;
TAILQ_HEAD(http_client_list, http_peer);

struct http_peers {
    struct loop *loop;
    struct timer *look; /* set when http_peers_cut_off has something to do */
    struct timer late;
    struct http_client_list newcomers; /* oldest first */
    struct http_client_list hung_up;
};

/* `look` stays the caller's. */
void http_peers_init(struct http_peers *all, struct loop *loop, struct timer *look);
/* After the last connection is gone. */
void http_peers_fini(struct http_peers *all);
/* Those that hung up without a whole request. Only when libmicrohttpd has nothing left to do: what
 * it has not read or judged yet may be one. */
void http_peers_cut_off(struct http_peers *all);

/* `fd` stays the connection's. NULL without memory: then nobody looks at it. */
struct http_peer *http_peer_new(struct http_peers *all, int fd);
/* The connection is closed, its descriptor not yet. At ease with NULL, as all below. */
void http_peer_free(struct http_peer *client);

/* The head of a request has come. */
void http_peer_is_known(struct http_peer *client);
/* A whole request has come, and its answer is out. In between the descriptor is not watched here.
 */
void http_peer_asked(struct http_peer *client);
void http_peer_answered(struct http_peer *client);

#endif
