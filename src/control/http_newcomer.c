#include "control/http_newcomer.h"

#include "base/contract.h"

#include <stdlib.h>
#include <sys/socket.h>

struct http_newcomer {
    TAILQ_ENTRY(http_newcomer) link;
    struct http_newcomers *all; /* NULL: known */
    uint64_t deadline_ms;
    int fd;
};

static void set_timer(struct http_newcomers *all)
{
    const struct http_newcomer *first = TAILQ_FIRST(&all->list);
    uint64_t now_ms = loop_now_ms(all->loop);

    if (first == NULL)
        loop_cancel_timer(all->loop, &all->timer);
    else
        loop_set_timer(all->loop, &all->timer,
                       first->deadline_ms > now_ms ? first->deadline_ms - now_ms : 0);
}

static void time_is_up(struct timer *timer, void *ctx)
{
    struct http_newcomers *all = ctx;
    struct http_newcomer *first;

    (void)timer;
    while ((first = TAILQ_FIRST(&all->list)) != NULL &&
           first->deadline_ms <= loop_now_ms(all->loop)) {
        shutdown(first->fd, SHUT_RDWR); /* libmicrohttpd sees the end and closes */
        http_newcomer_is_known(first);
    }
    set_timer(all);
}

void http_newcomers_init(struct http_newcomers *all, struct loop *loop)
{
    all->loop = loop;
    all->timer = (struct timer){.fire = time_is_up, .ctx = all};
    TAILQ_INIT(&all->list);
}

void http_newcomers_fini(struct http_newcomers *all)
{
    CONTRACT(TAILQ_EMPTY(&all->list));
    loop_cancel_timer(all->loop, &all->timer);
}

struct http_newcomer *http_newcomer_new(struct http_newcomers *all, int fd)
{
    struct http_newcomer *newcomer = calloc(1, sizeof *newcomer);

    if (newcomer == NULL)
        return NULL;
    newcomer->all = all;
    newcomer->fd = fd;
    newcomer->deadline_ms = loop_now_ms(all->loop) + HTTP_HEAD_TIMEOUT_MS;
    TAILQ_INSERT_TAIL(&all->list, newcomer, link);
    if (!all->timer.is_set)
        set_timer(all);
    return newcomer;
}

void http_newcomer_is_known(struct http_newcomer *newcomer)
{
    if (newcomer == NULL || newcomer->all == NULL)
        return;
    TAILQ_REMOVE(&newcomer->all->list, newcomer, link);
    newcomer->all = NULL;
}

void http_newcomer_free(struct http_newcomer *newcomer)
{
    http_newcomer_is_known(newcomer);
    free(newcomer);
}
