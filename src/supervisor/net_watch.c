#include "supervisor/net_watch.h"

#include "base/log.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_usable(const struct ifaddrs *a)
{
    return a->ifa_addr != NULL && (a->ifa_flags & IFF_UP) != 0 && (a->ifa_flags & IFF_RUNNING) != 0;
}

static enum err collect(struct address_set *out, const struct ifaddrs *all)
{
    size_t max = 0;

    for (const struct ifaddrs *a = all; a != NULL; a = a->ifa_next)
        max++;
    *out = (struct address_set){.list = calloc(max > 0 ? max : 1, sizeof *out->list)};
    if (out->list == NULL)
        return ERR_NO_MEMORY;
    for (const struct ifaddrs *a = all; a != NULL; a = a->ifa_next)
        if (is_usable(a) && address_from_sockaddr(&out->list[out->count], a->ifa_addr) == ERR_OK)
            out->count++;
    return ERR_OK;
}

enum err supervisor_net_watch_read(struct address_set *out)
{
    struct ifaddrs *all;
    enum err e;

    *out = (struct address_set){0};
    if (getifaddrs(&all) != 0)
        return err_from_errno(errno);
    e = collect(out, all);
    freeifaddrs(all);
    return e;
}

void supervisor_net_watch_clear(struct address_set *set)
{
    free(set->list);
    *set = (struct address_set){0};
}

static int order(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct address)); /* struct address has no undefined bytes */
}

static void sort(struct address_set *set)
{
    if (set->count > 1)
        qsort(set->list, set->count, sizeof *set->list, order);
}

bool supervisor_net_watch_is_equal(struct address_set *a, struct address_set *b)
{
    if (a->count != b->count)
        return false;
    sort(a);
    sort(b);
    for (size_t i = 0; i < a->count; i++)
        if (!address_is_equal(&a->list[i], &b->list[i]))
            return false;
    return true;
}

static void quiet_elapsed(struct timer *timer, void *ctx)
{
    struct supervisor_net_watch *w = ctx;
    struct address_set now;

    (void)timer;
    if (supervisor_net_watch_read(&now) != ERR_OK)
        return;
    if (supervisor_net_watch_is_equal(&now, &w->known)) {
        supervisor_net_watch_clear(&now);
        return;
    }
    log_info("network addresses changed");
    supervisor_net_watch_clear(&w->known);
    w->known = now;
    w->changed(w->ctx);
}

/* Discards the messages: only their arrival matters. ENOBUFS: some were lost, so some arrived. */
static void messages_ready(struct watch *watch, uint32_t events)
{
    struct supervisor_net_watch *w = watch->ctx;
    char discarded[8192];
    bool is_any = false;

    (void)events;
    for (;;) {
        ssize_t got = recv(watch->fd, discarded, sizeof discarded, MSG_DONTWAIT);

        if (got < 0 && errno != ENOBUFS && errno != EINTR)
            break;
        is_any = true;
    }
    if (is_any)
        loop_set_timer(w->loop, &w->quiet, SUPERVISOR_NET_WATCH_QUIET_MS);
}

static enum err open_socket(int *out)
{
    struct sockaddr_nl wanted = {.nl_family = AF_NETLINK,
                                 .nl_groups =
                                     RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);

    if (fd < 0)
        return err_from_errno(errno);
    if (bind(fd, (const struct sockaddr *)&wanted, sizeof wanted) != 0) {
        enum err e = err_from_errno(errno);

        close(fd);
        return e;
    }
    *out = fd;
    return ERR_OK;
}

enum err supervisor_net_watch_open(struct supervisor_net_watch *w, struct loop *loop,
                                   void (*changed)(void *ctx), void *ctx)
{
    enum err e;

    *w = (struct supervisor_net_watch){.loop = loop,
                                       .watch = {.fd = -1, .ready = messages_ready, .ctx = w},
                                       .quiet = {.fire = quiet_elapsed, .ctx = w},
                                       .changed = changed,
                                       .ctx = ctx};
    /* The socket first: it reports a change that happens before the set is read. */
    if ((e = open_socket(&w->watch.fd)) != ERR_OK)
        return e;
    if ((e = supervisor_net_watch_read(&w->known)) != ERR_OK)
        goto fail;
    if ((e = loop_add(loop, &w->watch, EPOLLIN)) != ERR_OK)
        goto fail;
    return ERR_OK;
fail:
    close(w->watch.fd);
    w->watch.fd = -1;
    supervisor_net_watch_clear(&w->known);
    return e;
}

void supervisor_net_watch_close(struct supervisor_net_watch *w)
{
    if (w->loop == NULL || w->watch.fd < 0)
        return;
    loop_cancel_timer(w->loop, &w->quiet);
    loop_remove(w->loop, &w->watch);
    close(w->watch.fd);
    w->watch.fd = -1;
    supervisor_net_watch_clear(&w->known);
}

bool supervisor_net_watch_has_address(void)
{
    struct address_set now;
    bool has_any;

    if (supervisor_net_watch_read(&now) != ERR_OK)
        return true; /* unknown: a failed start is better than none */
    has_any = now.count > 0;
    supervisor_net_watch_clear(&now);
    return has_any;
}
