#include "http/peer.h"

#include "base/contract.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

struct http_peer {
    struct http_peers *all;
    TAILQ_ENTRY(http_peer) by_age;
    TAILQ_ENTRY(http_peer) by_end;
    uint64_t deadline_ms;
    struct watch end;
    bool is_newcomer;
    bool is_watched;
    bool has_hung_up; /* in the list of those, and watched no more */
};

/* libmicrohttpd sees the end and closes. What is on its way out still arrives. */
static void cut_off(const struct http_peer *client)
{
    shutdown(client->end.fd, SHUT_RDWR);
}

/* Newcomers. */

static void set_timer(struct http_peers *all)
{
    const struct http_peer *first = TAILQ_FIRST(&all->newcomers);
    uint64_t now_ms = loop_now_ms(all->loop);

    if (first == NULL)
        loop_cancel_timer(all->loop, &all->late);
    else
        loop_set_timer(all->loop, &all->late,
                       first->deadline_ms > now_ms ? first->deadline_ms - now_ms : 0);
}

static void time_is_up(struct timer *timer, void *ctx)
{
    struct http_peers *all = ctx;
    struct http_peer *first;

    (void)timer;
    while ((first = TAILQ_FIRST(&all->newcomers)) != NULL &&
           first->deadline_ms <= loop_now_ms(all->loop)) {
        cut_off(first);
        http_peer_is_known(first);
    }
    set_timer(all);
}

static void begin_newcomer(struct http_peer *client)
{
    struct http_peers *all = client->all;

    client->is_newcomer = true;
    client->deadline_ms = loop_now_ms(all->loop) + HTTP_HEAD_TIMEOUT_MS;
    TAILQ_INSERT_TAIL(&all->newcomers, client, by_age);
    if (!all->late.is_set)
        set_timer(all);
}

void http_peer_is_known(struct http_peer *client)
{
    if (client == NULL || !client->is_newcomer)
        return;
    TAILQ_REMOVE(&client->all->newcomers, client, by_age);
    client->is_newcomer = false;
}

/* Those that hang up. */

static void unwatch(struct http_peer *client)
{
    if (client->is_watched)
        loop_remove(client->all->loop, &client->end);
    client->is_watched = false;
}

static void hung_up(struct watch *w, uint32_t events)
{
    struct http_peer *client = w->ctx;

    (void)events;
    unwatch(client);
    client->has_hung_up = true;
    TAILQ_INSERT_TAIL(&client->all->hung_up, client, by_end);
    loop_set_timer(client->all->loop, client->all->look, 0);
}

/* Tells of an end that has come before, too. Without memory it is libmicrohttpd's to see. */
static void watch(struct http_peer *client)
{
    client->is_watched = loop_add(client->all->loop, &client->end, EPOLLRDHUP) == ERR_OK;
}

static void forget_end(struct http_peer *client)
{
    unwatch(client);
    if (client->has_hung_up)
        TAILQ_REMOVE(&client->all->hung_up, client, by_end);
    client->has_hung_up = false;
}

/* More than libmicrohttpd reads at once: it goes on reading by itself, and the rest may make the
 * request whole. */
static bool has_unread(const struct http_peer *client)
{
    int unread = 0;

    return ioctl(client->end.fd, FIONREAD, &unread) == 0 && unread > 0;
}

void http_peers_cut_off(struct http_peers *all)
{
    struct http_peer *client, *next;

    for (client = TAILQ_FIRST(&all->hung_up); client != NULL; client = next) {
        next = TAILQ_NEXT(client, by_end);
        if (has_unread(client))
            continue;
        cut_off(client);
        forget_end(client);
    }
}

void http_peer_asked(struct http_peer *client)
{
    if (client != NULL)
        forget_end(client);
}

void http_peer_answered(struct http_peer *client)
{
    if (client == NULL)
        return;
    forget_end(client);
    watch(client);
}

/* Life. */

void http_peers_init(struct http_peers *all, struct loop *loop, struct timer *look)
{
    *all = (struct http_peers){.loop = loop, .look = look};
    all->late = (struct timer){.fire = time_is_up, .ctx = all};
    TAILQ_INIT(&all->newcomers);
    TAILQ_INIT(&all->hung_up);
}

void http_peers_fini(struct http_peers *all)
{
    CONTRACT(TAILQ_EMPTY(&all->newcomers) && TAILQ_EMPTY(&all->hung_up));
    loop_cancel_timer(all->loop, &all->late);
}

struct http_peer *http_peer_new(struct http_peers *all, int fd)
{
    struct http_peer *client = calloc(1, sizeof *client);

    if (client == NULL)
        return NULL;
    client->all = all;
    client->end = (struct watch){.fd = fd, .ready = hung_up, .ctx = client};
    begin_newcomer(client);
    watch(client);
    return client;
}

void http_peer_free(struct http_peer *client)
{
    if (client == NULL)
        return;
    http_peer_is_known(client);
    forget_end(client);
    free(client);
}
