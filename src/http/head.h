/* The head of a request, checked against the table of routes before any of its body is read. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "http/refusal.h"
#include "http/routes.h"

struct http_head {
    struct MHD_Connection *connection;
    const char *method, *target;
    const struct http_route *route;    /* out; NULL: there is none */
    char right[HTTP_ROUTES_TEXT_SIZE]; /* out: as of http_refusal_queue */
};

/* `token` is what a client at TCP has to show for a route that asks for it, "" if the server has
 * none; NULL: the client comes from a Unix socket, whose file says who may. */
enum http_refusal http_head_check(struct http_head *head, const struct http_routes *routes,
                                  const char *token);

#endif
