/* Timeouts for connections on a TCP address, in addition to libmicrohttpd's. Two kinds are shut
 * down, so that unauthenticated clients cannot use up the connection limit:
 *
 * - connections whose first request head has not arrived within HTTP_HEAD_TIMEOUT_MS, however its
 *   bytes are spread;
 * - connections half-closed by the client in the middle of a request. libmicrohttpd reads until a
 *   short read and then waits for the next edge. A FIN that arrived with the last bytes causes
 * none, so it would notice only at its idle timeout.
 *
 * A client may half-close after a complete request (shutdown(2), `nc -N`) and still gets its
 * response: the connection is not watched here while a request is handled. A client that closed
 * looks the same from here; that costs one unread response.
 *
 * Belongs to the loop's thread. */
#ifndef HTTP_PEER_H
#define HTTP_PEER_H

#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

enum { HTTP_HEAD_TIMEOUT_MS = 10000 };

struct http_peer;
TAILQ_HEAD(http_peer_list, http_peer);

struct http_peers {
    struct loop *loop;
    struct timer *again; /* set when http_peers_close_half_closed has work */
    struct timer timeout;
    struct http_peer_list pending; /* no request head yet; oldest first */
    struct http_peer_list half_closed;
};

/* `again` is owned by the caller. */
void http_peers_init(struct http_peers *all, struct loop *loop, struct timer *again);
/* After the last connection is closed. */
void http_peers_fini(struct http_peers *all);
/* Shuts down half-closed connections without a complete request. Only when libmicrohttpd has no
 * work left: data that it has not read or parsed yet may complete one. */
void http_peers_close_half_closed(struct http_peers *all);

/* `fd` is owned by the connection. NULL: out of memory; the connection works, without timeouts. */
struct http_peer *http_peer_new(struct http_peers *all, int fd);
/* Before the descriptor is closed. NULL is a no-op, here and in all functions below. */
void http_peer_free(struct http_peer *peer);

/* A request head has been received: ends the timeout. */
void http_peer_head_received(struct http_peer *peer);
/* A complete request has been received; its response has been sent. The descriptor is not watched
 * in between. */
void http_peer_request_received(struct http_peer *peer);
void http_peer_request_completed(struct http_peer *peer);

#endif
