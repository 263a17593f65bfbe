#include "supervisor/probe.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

void supervisor_probe_cancel(struct supervisor_probe *p)
{
    if (!p->is_running)
        return;
    p->is_running = false;
    loop_cancel_timer(p->loop, &p->timeout);
    loop_remove(p->loop, &p->watch);
    close(p->watch.fd);
    p->watch.fd = -1;
}

static void end(struct supervisor_probe *p, enum err result)
{
    supervisor_probe_cancel(p);
    p->done(p->ctx, result);
}

static void ready(struct watch *w, uint32_t events)
{
    int error_number = 0;
    socklen_t length = sizeof error_number;

    (void)events;
    if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &error_number, &length) != 0)
        error_number = errno;
    end(w->ctx, err_from_errno(error_number));
}

static void timed_out(struct timer *timer, void *ctx)
{
    (void)timer;
    end(ctx, ERR_TIMEOUT);
}

void supervisor_probe_init(struct supervisor_probe *p, struct loop *loop, supervisor_probe_fn *done,
                           void *ctx)
{
    *p = (struct supervisor_probe){.loop = loop,
                                   .watch = {.fd = -1, .ready = ready, .ctx = p},
                                   .timeout = {.fire = timed_out, .ctx = p},
                                   .done = done,
                                   .ctx = ctx};
}

static enum err begin(struct supervisor_probe *p, const struct address *address)
{
    struct sockaddr_storage to;
    socklen_t length = address_to_sockaddr(address, &to);
    enum err e = ERR_OK;
    int fd;

    if (address_lacks_scope(address))
        return ERR_SCOPE;
    fd = socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_from_errno(errno);
    p->watch.fd = fd;
    if (connect(fd, (const struct sockaddr *)&to, length) != 0 && errno != EINPROGRESS)
        e = err_from_errno(errno);
    else
        e = loop_add(p->loop, &p->watch, EPOLLOUT);
    if (e != ERR_OK) {
        close(fd);
        p->watch.fd = -1;
        return e;
    }
    p->is_running = true;
    loop_set_timer(p->loop, &p->timeout, SUPERVISOR_PROBE_TIMEOUT_MS);
    return ERR_OK;
}

void supervisor_probe_start(struct supervisor_probe *p, const struct address *address)
{
    enum err e;

    supervisor_probe_cancel(p);
    if ((e = begin(p, address)) != ERR_OK)
        p->done(p->ctx, e);
}
