/* An HTTP server: libmicrohttpd in external epoll mode, turned by a loop, on a Unix socket of our
 * own or on a TCP address. What it answers is a table of routes (http/routes.h); how they are
 * answered is in http/call.h. Everything here belongs to the loop's thread, but for open and close,
 * which run when that thread does not. */
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
    HTTP_SERVER_CONNECTIONS_PER_IP_MAX = 128, /* at TCP */
    HTTP_SERVER_IDLE_TIMEOUT_S = 120,
};

struct http_server_config {
    struct loop *loop;
    struct http_routes routes; /* the rows stay the caller's, and there */
    const char *socket_path;   /* a Unix socket; NULL: TCP at `address` */
    const char *group;         /* of the Unix socket; "": our own */
    unsigned mode;
    struct address address;
    const char *token; /* TCP: what clients have to show; "" or NULL: nothing. Copied. */
};
/* A Unix socket gets the group and the mode; its folder is made where missing, for the same people;
 * one that nobody answers at is replaced; ERR_BUSY if somebody does; ERR_EXISTS for a path that is
 * no socket. `problem` gets a sentence that names the path or address, the reason and what to do.
 *
 * A request is answered before its body is looked at: with 401 at TCP without the token, if its
 * route or a missing route asks for one, with 403 at TCP if a web page made it (it has an Origin),
 * with 404, 405 and 415 for a path, a method and a content type of no route. */
enum err http_server_open(struct http_server **out, const struct http_server_config *config,
                          char *problem, size_t problem_room);
/* After http_server_stop, or instead of http_server_start. */
void http_server_close(struct http_server **http);

enum err http_server_start(struct http_server *http);
/* The Unix socket's file may have been removed: then nobody can reach us, and it is made anew, for
 * the same people. `*is_new` says that it was. What `problem` says is as of http_server_open. */
enum err http_server_keep_reachable(struct http_server *http, bool *is_new, char *problem,
                                    size_t problem_room);

/* For good. Every call must have been answered; what is answered goes out as far as the sockets
 * take it. Closes the socket, so that nobody waits at it in vain, and removes its file, if it is
 * still the one that was made. */
void http_server_stop(struct http_server *http);

#endif
