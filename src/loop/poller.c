#include "loop/poller.h"

#include "base/contract.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { BATCH = 256 };
static const uint32_t watch_magic = 0x77617463; /* "watc" */

struct poller {
    int fd;
    int ready_count; /* of the current batch, else 0 */
    struct epoll_event ready[BATCH];
};

enum err poller_open(struct poller **out)
{
    struct poller *p = calloc(1, sizeof *p);

    if (p == NULL)
        return ERR_NO_MEMORY;
    p->fd = epoll_create1(EPOLL_CLOEXEC);
    if (p->fd < 0) {
        enum err e = err_from_errno(errno);

        free(p);
        return e;
    }
    *out = p;
    return ERR_OK;
}

void poller_close(struct poller **p)
{
    if (*p == NULL)
        return;
    close((*p)->fd);
    free(*p);
    *p = NULL;
}

enum err poller_add(struct poller *p, struct watch *w, uint32_t events)
{
    struct epoll_event event = {.data.ptr = w};

    if (events & POLLER_LEVEL)
        event.events = events & ~POLLER_LEVEL;
    else
        event.events = events | EPOLLET;
    w->magic = watch_magic;
    return epoll_ctl(p->fd, EPOLL_CTL_ADD, w->fd, &event) == 0 ? ERR_OK : err_from_errno(errno);
}

void poller_remove(struct poller *p, struct watch *w)
{
    struct epoll_event unused = {0};

    epoll_ctl(p->fd, EPOLL_CTL_DEL, w->fd, &unused);
    for (int i = 0; i < p->ready_count; i++)
        if (p->ready[i].data.ptr == w)
            p->ready[i].data.ptr = NULL;
    w->magic = 0;
}

void poller_gather(struct poller *p, int timeout_ms)
{
    int count = epoll_wait(p->fd, p->ready, BATCH, timeout_ms);

    CONTRACT(count >= 0 || errno == EINTR);
    p->ready_count = count < 0 ? 0 : count;
}

void poller_deliver(struct poller *p)
{
    for (int i = 0; i < p->ready_count; i++) {
        struct watch *w = p->ready[i].data.ptr;

        if (w == NULL)
            continue;
        MAGIC_CHECK(w, watch_magic);
        w->ready(w, p->ready[i].events);
    }
    p->ready_count = 0;
}

void poller_wait(struct poller *p, int timeout_ms)
{
    poller_gather(p, timeout_ms);
    poller_deliver(p);
}
