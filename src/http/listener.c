#include "http/listener.h"

#include "base/log.h"
#include "base/metrics.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

/* Kept small because of libmicrohttpd's limit per address: it sees the end of a connection two
 * turns after the accept. With few accepts a turn, clients that close at once cannot reach that
 * limit and lock out their address (tests/system/test_control_tcp.py). */
enum { TURN_MAX = 16 };

static void unwatch(struct http_listener *listener)
{
    if (listener->is_watched)
        loop_remove(listener->loop, &listener->socket);
    listener->is_watched = false;
}

/* Stops watching until the pause ends: with a connection in the backlog the socket stays ready. */
static void pause_accept(struct http_listener *listener, const char *why)
{
    if (accept_error_is_new(&listener->error, loop_now_ms(listener->loop)))
        log_warning("control: cannot accept a connection: %s; retrying every %d ms", why,
                    ACCEPT_ERROR_PAUSE_MS);
    metrics_add(METRIC_ACCEPT_PAUSES, 1);
    unwatch(listener);
    loop_set_timer(listener->loop, &listener->pause, ACCEPT_ERROR_PAUSE_MS);
}

static void watch(struct http_listener *listener)
{
    enum err e = loop_add(listener->loop, &listener->socket, EPOLLIN | POLLER_LEVEL);

    listener->is_watched = e == ERR_OK;
    if (e != ERR_OK)
        pause_accept(listener, err_text(e));
}

/* False: the backlog is empty, or accept failed and is paused. */
static bool accept_one(struct http_listener *listener)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    int fd = accept4(listener->socket.fd, (struct sockaddr *)&from, &length,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        listener->accepted(listener->ctx, fd, (const struct sockaddr *)&from, length);
        return true;
    }
    if (accept_error_is_transient(errno))
        return true;
    if (errno != EAGAIN)
        pause_accept(listener, strerror(errno));
    return false;
}

static void socket_ready(struct watch *w, uint32_t events)
{
    struct http_listener *listener = w->ctx;

    (void)events;
    for (unsigned i = 0; i < TURN_MAX && listener->is_enabled && accept_one(listener); i++)
        ;
}

static void resume_accept(struct timer *timer, void *ctx)
{
    (void)timer;
    watch(ctx);
}

void http_listener_init(struct http_listener *listener, struct loop *loop, int fd,
                        http_listener_accepted_fn *accepted, void *ctx)
{
    *listener = (struct http_listener){.loop = loop, .accepted = accepted, .ctx = ctx};
    listener->socket = (struct watch){.fd = fd, .ready = socket_ready, .ctx = listener};
    listener->pause = (struct timer){.fire = resume_accept, .ctx = listener};
}

void http_listener_enable(struct http_listener *listener)
{
    if (listener->is_enabled)
        return;
    listener->is_enabled = true;
    watch(listener);
}

void http_listener_disable(struct http_listener *listener)
{
    if (!listener->is_enabled)
        return;
    listener->is_enabled = false;
    unwatch(listener);
    loop_cancel_timer(listener->loop, &listener->pause);
}
