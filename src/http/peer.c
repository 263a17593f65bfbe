#include "http/peer.h"

#include "base/contract.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

struct http_peer {
    struct http_peers *all;
    TAILQ_ENTRY(http_peer) by_age;
    TAILQ_ENTRY(http_peer) by_half_close;
    uint64_t deadline_ms;
    struct watch hup;
    bool is_pending;
    bool is_watched;
    bool is_half_closed; /* in `half_closed`, no longer watched */
};

/* libmicrohttpd sees the shutdown and closes. Data already queued for sending is still sent. */
static void shut_down(const struct http_peer *peer)
{
    shutdown(peer->hup.fd, SHUT_RDWR);
}

/* Timeout of the request head. */

static void set_timer(struct http_peers *all)
{
    const struct http_peer *first = TAILQ_FIRST(&all->pending);
    uint64_t now_ms = loop_now_ms(all->loop);

    if (first == NULL)
        loop_cancel_timer(all->loop, &all->timeout);
    else
        loop_set_timer(all->loop, &all->timeout,
                       first->deadline_ms > now_ms ? first->deadline_ms - now_ms : 0);
}

static void head_timeout(struct timer *timer, void *ctx)
{
    struct http_peers *all = ctx;
    struct http_peer *first;

    (void)timer;
    while ((first = TAILQ_FIRST(&all->pending)) != NULL &&
           first->deadline_ms <= loop_now_ms(all->loop)) {
        shut_down(first);
        http_peer_head_received(first);
    }
    set_timer(all);
}

static void begin_pending(struct http_peer *peer)
{
    struct http_peers *all = peer->all;

    peer->is_pending = true;
    peer->deadline_ms = loop_now_ms(all->loop) + HTTP_HEAD_TIMEOUT_MS;
    TAILQ_INSERT_TAIL(&all->pending, peer, by_age);
    if (!all->timeout.is_set)
        set_timer(all);
}

void http_peer_head_received(struct http_peer *peer)
{
    if (peer == NULL || !peer->is_pending)
        return;
    TAILQ_REMOVE(&peer->all->pending, peer, by_age);
    peer->is_pending = false;
}

/* Half-closed connections. */

static void unwatch(struct http_peer *peer)
{
    if (peer->is_watched)
        loop_remove(peer->all->loop, &peer->hup);
    peer->is_watched = false;
}

static void half_closed(struct watch *w, uint32_t events)
{
    struct http_peer *peer = w->ctx;

    (void)events;
    unwatch(peer);
    peer->is_half_closed = true;
    TAILQ_INSERT_TAIL(&peer->all->half_closed, peer, by_half_close);
    loop_set_timer(peer->all->loop, peer->all->again, 0);
}

/* Reports a half-close that has already happened, too. If it fails, libmicrohttpd's idle timeout
 * applies. */
static void watch(struct http_peer *peer)
{
    peer->is_watched = loop_add(peer->all->loop, &peer->hup, EPOLLRDHUP) == ERR_OK;
}

static void clear_half_closed(struct http_peer *peer)
{
    unwatch(peer);
    if (peer->is_half_closed)
        TAILQ_REMOVE(&peer->all->half_closed, peer, by_half_close);
    peer->is_half_closed = false;
}

/* True if libmicrohttpd has more to read, which may complete the request. */
static bool has_unread(const struct http_peer *peer)
{
    int unread = 0;

    return ioctl(peer->hup.fd, FIONREAD, &unread) == 0 && unread > 0;
}

void http_peers_close_half_closed(struct http_peers *all)
{
    struct http_peer *peer, *next;

    for (peer = TAILQ_FIRST(&all->half_closed); peer != NULL; peer = next) {
        next = TAILQ_NEXT(peer, by_half_close);
        if (has_unread(peer))
            continue;
        shut_down(peer);
        clear_half_closed(peer);
    }
}

void http_peer_request_received(struct http_peer *peer)
{
    if (peer != NULL)
        clear_half_closed(peer);
}

void http_peer_request_completed(struct http_peer *peer)
{
    if (peer == NULL)
        return;
    clear_half_closed(peer);
    watch(peer);
}

/* Creation and release. */

void http_peers_init(struct http_peers *all, struct loop *loop, struct timer *again)
{
    *all = (struct http_peers){.loop = loop, .again = again};
    all->timeout = (struct timer){.fire = head_timeout, .ctx = all};
    TAILQ_INIT(&all->pending);
    TAILQ_INIT(&all->half_closed);
}

void http_peers_fini(struct http_peers *all)
{
    CONTRACT(TAILQ_EMPTY(&all->pending) && TAILQ_EMPTY(&all->half_closed));
    loop_cancel_timer(all->loop, &all->timeout);
}

struct http_peer *http_peer_new(struct http_peers *all, int fd)
{
    struct http_peer *peer = calloc(1, sizeof *peer);

    if (peer == NULL)
        return NULL;
    peer->all = all;
    peer->hup = (struct watch){.fd = fd, .ready = half_closed, .ctx = peer};
    begin_pending(peer);
    watch(peer);
    return peer;
}

void http_peer_free(struct http_peer *peer)
{
    if (peer == NULL)
        return;
    http_peer_head_received(peer);
    clear_half_closed(peer);
    free(peer);
}
