/* The routes of an HTTP server: method, path, request constraints and handler. A table must not
 * change while a server uses it. Any thread. */
#ifndef HTTP_ROUTES_H
#define HTTP_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

struct http_call;

/* Handles a complete request, in the thread of the server's loop. `body` is valid until it returns,
 * `call` until it is responded to (http/call.h) or its client has closed. */
typedef void http_route_fn(void *ctx, struct http_call *call, const char *body, size_t length);

enum http_route_access {
    HTTP_ROUTE_TOKEN,  /* requires the server's token on TCP, if one is set */
    HTTP_ROUTE_PUBLIC, /* unauthenticated */
};

struct http_route {
    const char *method; /* "POST" */
    const char *path;   /* "/RPC2" */
    /* NULL-terminated list of accepted content types; text, in UTF-8. NULL: a request with a
     * body is refused (413), and the type is not checked. */
    const char *const *types;
    enum http_route_access access;
    http_route_fn *handle;
};

struct http_routes {
    const struct http_route *rows;
    size_t count;
    void *ctx; /* passed to the handlers */
};

enum http_routes_found { HTTP_ROUTES_FOUND, HTTP_ROUTES_NO_PATH, HTTP_ROUTES_NO_METHOD };
/* The row for a request's method and target. The target has no query; it is a path, an absolute URL
 * (http://HOST/PATH) or "*". `*out` is NULL if no row matches. */
enum http_routes_found http_routes_find(const struct http_routes *routes, const char *method,
                                        const char *target, const struct http_route **out);

enum { HTTP_ROUTES_TEXT_SIZE = 128 };
/* "GET, POST": the methods of this target; those of all rows for "*". Truncated to `out`. */
const char *http_routes_methods(const struct http_routes *routes, const char *target,
                                char out[HTTP_ROUTES_TEXT_SIZE]);
/* "/RPC2, /metrics": the paths, in row order. Truncated to `out`. */
const char *http_routes_paths(const struct http_routes *routes, char out[HTTP_ROUTES_TEXT_SIZE]);

/* True if the route accepts this Content-Type (NULL: none). `*parameters` is set to the type's
 * parameters. */
bool http_route_accepts(const struct http_route *route, const char *type, const char **parameters);

#endif
