#include "http/listener.h"

#include "base/log.h"
#include "base/metrics.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>

/* Few, for libmicrohttpd's limit an address: that a connection has ended is seen two turns after it
 * was taken. Those that hang up at once, however many wait, are then never so many at a time that
 * the next of their address is refused (tests/system/test_control_tcp.py). */
enum { TURN_MAX = 16 };

static void unwatch(struct http_listener *door)
{
    if (door->is_watched)
        loop_remove(door->loop, &door->socket);
    door->is_watched = false;
}

/* Unwatched meanwhile: whoever waits in the backlog keeps the socket ready. */
static void pause_door(struct http_listener *door, const char *why)
{
    if (accept_trouble_is_new(&door->trouble, loop_now_ms(door->loop)))
        log_warning("control: cannot take a connection: %s; trying again every %d ms", why,
                    ACCEPT_PAUSE_MS);
    metrics_add(METRIC_ACCEPT_PAUSES, 1);
    unwatch(door);
    loop_set_timer(door->loop, &door->pause, ACCEPT_PAUSE_MS);
}

static void watch(struct http_listener *door)
{
    enum err e = loop_add(door->loop, &door->socket, EPOLLIN | POLLER_LEVEL);

    door->is_watched = e == ERR_OK;
    if (e != ERR_OK)
        pause_door(door, err_text(e));
}

/* False: nobody is waiting, or nobody can be taken now. */
static bool take_one(struct http_listener *door)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    int fd =
        accept4(door->socket.fd, (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        door->came(door->ctx, fd, (const struct sockaddr *)&from, length);
        return true;
    }
    if (accept_is_of_connection(errno))
        return true;
    if (errno != EAGAIN)
        pause_door(door, strerror(errno));
    return false;
}

static void socket_ready(struct watch *w, uint32_t events)
{
    struct http_listener *door = w->ctx;

    (void)events;
    for (unsigned i = 0; i < TURN_MAX && door->is_open && take_one(door); i++)
        ;
}

static void pause_over(struct timer *timer, void *ctx)
{
    (void)timer;
    watch(ctx);
}

void http_listener_init(struct http_listener *door, struct loop *loop, int fd,
                        http_listener_came_fn *came, void *ctx)
{
    *door = (struct http_listener){.loop = loop, .came = came, .ctx = ctx};
    door->socket = (struct watch){.fd = fd, .ready = socket_ready, .ctx = door};
    door->pause = (struct timer){.fire = pause_over, .ctx = door};
}

void http_listener_open(struct http_listener *door)
{
    if (door->is_open)
        return;
    door->is_open = true;
    watch(door);
}

void http_listener_shut(struct http_listener *door)
{
    if (!door->is_open)
        return;
    door->is_open = false;
    unwatch(door);
    loop_cancel_timer(door->loop, &door->pause);
}
