/* The HTTP end of the control room: libmicrohttpd in external epoll mode, turned by a loop, on a
 * Unix socket of our own or on a TCP address. Knows POST /RPC2 with XML and nothing of what stands
 * in it. Everything here belongs to the loop's thread, but for open and close, which run when that
 * thread does not.
 *
 * A call may be answered at once or later; in between its connection is suspended. */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/address.h"
#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct http_server;
struct http_call;

enum {
    HTTP_SERVER_BODY_LIMIT = 1 << 20,
    HTTP_SERVER_BODIES_LIMIT = 32 << 20, /* of all that come in at once */
    HTTP_SERVER_CONNECTIONS_MAX = 256,
    HTTP_SERVER_CONNECTIONS_PER_IP_MAX = 128, /* at TCP */
    HTTP_SERVER_IDLE_TIMEOUT_S = 120,
};

/* A whole request. `body` is valid during the call; `call` until it is answered or gone. */
typedef void http_server_called_fn(void *ctx, struct http_call *call, const char *body,
                                   size_t length);

struct http_server_config {
    struct loop *loop;
    http_server_called_fn *called;
    void *ctx;
    const char *socket_path; /* a Unix socket; NULL: TCP at `address` */
    const char *group;       /* of the Unix socket; "": our own */
    unsigned mode;
    struct address address;
    const char *token; /* TCP: what clients have to show; "" or NULL: nothing. Copied. */
};
/* A Unix socket gets the group and the mode; its folder is made where missing, for the same people;
 * one that nobody answers at is replaced; ERR_BUSY if somebody does; ERR_EXISTS for a path that is
 * no socket. `problem` gets a sentence that names the path or address, the reason and what to do.
 *
 * At TCP a request without the token is answered with status 401 before its body is looked at, and
 * one that a web page made (it has an Origin) with 403. */
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

/* The client's end closed before the answer: `gone` is told, and the call is no more. Not called
 * once the call is answered. Without a `gone` nobody is told and the call stays. */
typedef void http_server_gone_fn(void *ctx);
void http_server_call_watch(struct http_call *call, http_server_gone_fn *gone, void *ctx);

/* Who calls over the Unix socket. Over TCP nobody is known: whoever has the token is taken for our
 * own user. */
uid_t http_server_call_uid(struct http_call *call);

/* Takes over `body` (malloc). NULL: no memory was left for it, the client gets status 500. */
void http_server_answer(struct http_call *call, char *body, size_t length);

#endif
