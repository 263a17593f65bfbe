/* The door of an HTTP server: takes connections from a listening socket and hands them on, while
 * there is a place for them. Shut, it leaves them in the backlog. Without descriptors it looks
 * again every ACCEPT_PAUSE_MS, whatever else is connected. libmicrohttpd could accept by itself,
 * but leaves the socket alone after a failure until a connection of its own ends. Everything
 * belongs to the loop's thread. */
#ifndef HTTP_LISTENER_H
#define HTTP_LISTENER_H

#include "base/accept_trouble.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <sys/socket.h>

/* Takes over `fd`. May shut the door. */
typedef void http_listener_came_fn(void *ctx, int fd, const struct sockaddr *from,
                                   socklen_t length);

struct http_listener {
    struct loop *loop;
    struct watch socket;
    struct timer pause;
    bool is_open;
    bool is_watched; /* open, and not in a pause */
    struct accept_trouble trouble;
    http_listener_came_fn *came;
    void *ctx;
};

/* Shut. `fd` listens, does not block, and stays the caller's. */
void http_listener_init(struct http_listener *door, struct loop *loop, int fd,
                        http_listener_came_fn *came, void *ctx);
/* Both at ease with a door that is so already. */
void http_listener_open(struct http_listener *door);
void http_listener_shut(struct http_listener *door);

#endif
