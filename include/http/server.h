/* An HTTP server: libmicrohttpd in external epoll mode, driven by a loop, on a Unix socket or a TCP
 * address. Requests are dispatched by a table of routes (http/routes.h) and responded to with
 * http/call.h. Belongs to the loop's thread, except open and close, which must not run concurrently
 * with it. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/address.h"
#include "base/err.h"
#include "http/routes.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>

struct http_server;

enum {
    HTTP_SERVER_CONNECTIONS_MAX = 256,
    HTTP_SERVER_CONNECTIONS_PER_IP_MAX = 128, /* TCP only */
    HTTP_SERVER_IDLE_TIMEOUT_S = 120,
};

struct http_server_config {
    struct loop *loop;
    struct http_routes routes; /* the rows are owned by the caller and must outlive the server */
    const char *socket_path;   /* a Unix socket; NULL: TCP at `address` */
    const char *group;         /* of the Unix socket; "": the process's own */
    unsigned mode;
    struct address address;
    const char *token; /* TCP: required bearer token; "" or NULL: none. Copied. */
};
/* Opens the listening socket. A Unix socket gets the group and the mode; a missing folder is
 * created with matching access. A stale socket is replaced; ERR_BUSY: another process listens on
 * it; ERR_EXISTS: the path is not a socket. On failure `problem` is a sentence with the path or
 * address, the reason and what to do.
 *
 * Requests are rejected before their body is read: on TCP with 401 without the token (unknown paths
 * require it, too) and with 403 if they have an Origin (sent by a web page); everywhere with 404,
 * 405 or 415 for a path, method or content type that no route has. */
enum err http_server_open(struct http_server **out, const struct http_server_config *config,
                          char *problem, size_t problem_room);
/* After http_server_stop, or instead of http_server_start. */
void http_server_close(struct http_server **http);

enum err http_server_start(struct http_server *http);
/* Recreates the Unix socket with the same access if its file was removed; `*is_recreated` says so.
 * `problem` as in http_server_open. */
enum err http_server_check_socket(struct http_server *http, bool *is_recreated, char *problem,
                                  size_t problem_room);

/* Every call must have been responded to. Flushes responses as far as the sockets accept them,
 * closes the listening socket and removes its file, if it is still the one that was created. The
 * server cannot be started again. */
void http_server_stop(struct http_server *http);

#endif
