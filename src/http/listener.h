/* The listener of an HTTP server: accepts connections and passes them to a callback. Disabled, it
 * leaves them in the backlog. If descriptors run out, it retries every ACCEPT_ERROR_PAUSE_MS;
 * libmicrohttpd's own accept would not retry until one of its connections ends. Belongs to the
 * loop's thread. */
#ifndef HTTP_LISTENER_H
#define HTTP_LISTENER_H

#include "base/accept_error.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <sys/socket.h>

/* Takes ownership of `fd`. May disable the listener. */
typedef void http_listener_accepted_fn(void *ctx, int fd, const struct sockaddr *from,
                                       socklen_t length);

struct http_listener {
    struct loop *loop;
    struct watch socket;
    struct timer pause;
    bool is_enabled;
    bool is_watched; /* enabled, and not paused */
    struct accept_error_log error;
    http_listener_accepted_fn *accepted;
    void *ctx;
};

/* Disabled at first. `fd` is a non-blocking listening socket, owned by the caller. */
void http_listener_init(struct http_listener *listener, struct loop *loop, int fd,
                        http_listener_accepted_fn *accepted, void *ctx);
/* Both are idempotent. */
void http_listener_enable(struct http_listener *listener);
void http_listener_disable(struct http_listener *listener);

#endif
