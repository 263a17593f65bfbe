/* Checks the head of a request against the table of routes, before its body is read. */
#ifndef HTTP_HEAD_H
#define HTTP_HEAD_H

#include "http/refusal.h"
#include "http/routes.h"

struct http_head {
    struct MHD_Connection *connection;
    const char *method, *target;
    const struct http_route *route;       /* out; NULL: none matches */
    char expected[HTTP_ROUTES_TEXT_SIZE]; /* out: for http_refusal_queue */
};

/* `token` is the server's token for TCP clients ("": none); NULL: the client is on a Unix socket,
 * where the file's mode controls access. */
enum http_refusal http_head_check(struct http_head *head, const struct http_routes *routes,
                                  const char *token);

#endif
