#include "tcp/session/link.h"

#include "base/log.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KEEP_ALIVE_PROBES = 3 };

void session_link_init(struct session_link *l)
{
    *l = (struct session_link){.fd = -1};
}

void session_link_take(struct session_link *l, int fd)
{
    *l = (struct session_link){.fd = fd};
}

enum err session_link_connect(struct session_link *l, const struct address *peer)
{
    struct sockaddr_storage to;
    socklen_t length = address_to_sockaddr(peer, &to);
    enum err e;

    if (address_lacks_scope(peer))
        return ERR_SCOPE;
    session_link_take(l, socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (l->fd < 0)
        return err_from_errno(errno);
    l->is_connecting = true;
    if (connect(l->fd, (const struct sockaddr *)&to, length) == 0 || errno == EINPROGRESS)
        return ERR_OK;
    e = err_from_errno(errno);
    session_link_close(l);
    return e;
}

/* Probes a peer that was silent for half of `limit_s`, and twice more until `limit_s`. */
static bool set_keep_alive(int fd, int limit_s)
{
    int on = limit_s > 0, probes = KEEP_ALIVE_PROBES;
    int interval_s = limit_s / (2 * KEEP_ALIVE_PROBES) > 0 ? limit_s / (2 * KEEP_ALIVE_PROBES) : 1;
    int idle_s = limit_s > probes * interval_s ? limit_s - probes * interval_s : 1;

    if (setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on) < 0)
        return false;
    return on == 0 ||
           (setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s) == 0 &&
            setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s) == 0 &&
            setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes) == 0);
}

/* The options are optimisations: a failure is logged at debug level only. */
void session_link_set_options(const struct session_link *l, int keep_alive_s)
{
    int on = 1;

    if (setsockopt(l->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0 ||
        !set_keep_alive(l->fd, keep_alive_s))
        log_debug("setsockopt: %s", strerror(errno));
}

void session_link_close(struct session_link *l)
{
    if (l->fd >= 0)
        close(l->fd);
    session_link_init(l);
}

void session_link_ready(struct session_link *l, uint32_t events)
{
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        l->has_pending = true;
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        l->has_end = true;
    if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
        l->is_writable = true;
}

enum err session_link_handshake(struct session_link *l)
{
    int error_number = 0;
    socklen_t length = sizeof error_number;

    if (!l->is_connecting)
        return ERR_OK;
    if (!l->is_writable)
        return ERR_AGAIN;
    l->is_connecting = false;
    getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error_number, &length);
    return err_from_errno(error_number);
}

/* A read that does not fill the buffer has emptied the socket: the next bytes cause another event
 * (epoll(7), edge-triggered). After a reported end of file, reading continues until it. */
enum err session_link_recv(struct session_link *l, void *to, size_t size, size_t *received)
{
    ssize_t n;

    do
        n = recv(l->fd, to, size, MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    *received = n < 0 ? 0 : (size_t)n;
    if (n <= 0 || (*received < size && !l->has_end))
        l->has_pending = false;
    return n < 0 ? err_from_errno(errno) : ERR_OK;
}

bool session_link_has_pending(const struct session_link *l)
{
    return l->has_pending;
}

void session_link_recheck(struct session_link *l)
{
    l->has_pending = true;
}

bool session_link_has_end(const struct session_link *l)
{
    return l->has_end;
}

/* After a short send the socket is full; EPOLLOUT reports when it is writable. */
enum err session_link_send(struct session_link *l, const void *bytes, size_t length, size_t *sent)
{
    ssize_t n;

    *sent = 0;
    if (!l->is_writable)
        return ERR_AGAIN;
    do
        n = send(l->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
        l->is_writable = false;
        return err_from_errno(errno);
    }
    *sent = (size_t)n;
    l->is_writable = *sent == length;
    return ERR_OK;
}

bool session_link_is_writable(const struct session_link *l)
{
    return l->is_writable;
}

enum err session_link_shutdown(struct session_link *l)
{
    return shutdown(l->fd, SHUT_WR) < 0 ? err_from_errno(errno) : ERR_OK;
}
