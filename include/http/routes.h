/* What an HTTP server answers: a table of routes, each a method and a path with what their requests
 * have to be like and the handler that gets them. A table is constant while a server has it: any
 * thread. */
#ifndef HTTP_ROUTES_H
#define HTTP_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

struct http_call;

/* A whole request, in the thread of the server's loop. `body` is valid during the call, `call`
 * until it is answered (http/call.h) or gone. */
typedef void http_route_fn(void *ctx, struct http_call *call, const char *body, size_t length);

enum http_route_access {
    HTTP_ROUTE_TOKEN,  /* at TCP: who shows the server's token, if it has one */
    HTTP_ROUTE_PUBLIC, /* everybody who reaches the server */
};

struct http_route {
    const char *method; /* "POST" */
    const char *path;   /* "/RPC2" */
    /* The content types that a request's body may have, ends with NULL; text, in UTF-8. NULL: no
     * body is expected, and the type is not looked at. */
    const char *const *types;
    enum http_route_access access;
    http_route_fn *handle;
};

struct http_routes {
    const struct http_route *rows;
    size_t count;
    void *ctx; /* of the handlers */
};

enum http_routes_found { HTTP_ROUTES_FOUND, HTTP_ROUTES_NO_PATH, HTTP_ROUTES_NO_METHOD };
/* The row for a request's method and target: a path without its query, with "http://HOST" before it
 * if the client takes us for a proxy, or "*". NULL in `*out`: no row. */
enum http_routes_found http_routes_find(const struct http_routes *routes, const char *method,
                                        const char *target, const struct http_route **out);

enum { HTTP_ROUTES_TEXT_SIZE = 128 };
/* "GET, POST": the methods at this target; of all rows for "*". Cut off at the end of `out`. */
const char *http_routes_methods(const struct http_routes *routes, const char *target,
                                char out[HTTP_ROUTES_TEXT_SIZE]);
/* "/RPC2, /metrics": the paths, in the order of the rows. The same. */
const char *http_routes_paths(const struct http_routes *routes, char out[HTTP_ROUTES_TEXT_SIZE]);

/* Whether a request of this Content-Type (NULL: it has none) may have this route, and where the
 * type's parameters begin. */
bool http_route_takes(const struct http_route *route, const char *type, const char **parameters);

#endif
