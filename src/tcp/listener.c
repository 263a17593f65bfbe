#include "tcp/listener.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 4096 };

static enum err set_up(int fd, const struct address *address)
{
    struct sockaddr_storage to;
    socklen_t length = address_to_sockaddr(address, &to);
    int on = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0)
        return err_from_errno(errno);
    if (address->family == ADDRESS_V6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) < 0)
        return err_from_errno(errno);
    if (bind(fd, (const struct sockaddr *)&to, length) < 0 || listen(fd, BACKLOG) < 0)
        return err_from_errno(errno);
    return ERR_OK;
}

static bool is_listening_at(int fd, const struct address *address)
{
    struct sockaddr_storage at;
    struct address bound;
    socklen_t length = sizeof at, int_length = sizeof(int);
    int is_listening = 0;

    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &int_length) == 0 &&
           is_listening != 0 && getsockname(fd, (struct sockaddr *)&at, &length) == 0 &&
           address_from_sockaddr(&bound, (const struct sockaddr *)&at) == ERR_OK &&
           address_is_equal(&bound, address);
}

/* A duplicate of the passed socket that listens on `address`, -1 if there is none. The passed one
 * stays open for later use. */
static int take_passed(const struct passed_sockets *passed, const struct address *address)
{
    char text[ADDRESS_TEXT_SIZE];

    for (unsigned i = 0; i < passed->count; i++) {
        int fd = passed->first_fd + (int)i;

        if (!is_listening_at(fd, address) || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
            continue;
        log_info("%s: listening on the socket passed by the service manager",
                 address_text(text, address));
        return fcntl(fd, F_DUPFD_CLOEXEC, 0);
    }
    return -1;
}

static enum err open_own(int *out, const struct address *address)
{
    enum err e;
    int fd;

    if (address_lacks_scope(address))
        return ERR_SCOPE;
    fd = socket(address->family == ADDRESS_V4 ? AF_INET : AF_INET6,
                SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_from_errno(errno);
    e = set_up(fd, address);
    if (e == ERR_OK)
        *out = fd;
    else
        close(fd);
    return e;
}

static enum err open_one(int *out, const struct address *address,
                         const struct passed_sockets *passed)
{
    int fd = take_passed(passed, address);

    if (fd < 0)
        return open_own(out, address);
    *out = fd;
    return ERR_OK;
}

static void explain(enum err e, const struct address *address, char *to, size_t room)
{
    char text[ADDRESS_TEXT_SIZE];

    address_text(text, address);
    switch (e) {
    case ERR_BUSY:
        snprintf(to, room,
                 "cannot listen on %s: port is busy; stop the program that uses it or set "
                 "another tcp-port",
                 text);
        break;
    case ERR_DENIED:
        snprintf(to, room,
                 "cannot listen on %s: permission denied; ports below 1024 need "
                 "CAP_NET_BIND_SERVICE",
                 text);
        break;
    case ERR_ADDRESS:
        snprintf(to, room,
                 "cannot listen on %s: no such address on this machine; correct "
                 "[services/tcp-connections] listen",
                 text);
        break;
    default:
        snprintf(to, room, "cannot listen on %s: %s", text, err_text(e));
        break;
    }
}

void tcp_listener_close(struct tcp_listener *l)
{
    for (unsigned i = 0; i < l->count; i++)
        close(l->fds[i]);
    l->count = 0;
}

unsigned tcp_listener_addresses(const struct settings *s, struct address out[TCP_LISTENERS_MAX])
{
    unsigned count = 0;

    if (s->tcp_connections.is_listen_any) {
        out[count++] = (struct address){.family = ADDRESS_V4};
        out[count++] = (struct address){.family = ADDRESS_V6};
    } else {
        for (; count < s->tcp_connections.listen_count; count++)
            out[count] = s->tcp_connections.listen[count];
    }
    for (unsigned i = 0; i < count; i++)
        out[i].port = s->tcp_connections.tcp_port;
    return count;
}

/* With `listen = *` a machine without IPv6 listens on IPv4 only. */
static bool is_tolerated(const struct settings *s, const struct tcp_listener *l, enum err e)
{
    return s->tcp_connections.is_listen_any && l->count > 0 && e == ERR_ADDRESS;
}

enum err tcp_listener_open(struct tcp_listener *l, const struct settings *s,
                           const struct passed_sockets *passed, char *problem, size_t room)
{
    struct address wanted[TCP_LISTENERS_MAX];
    unsigned count = tcp_listener_addresses(s, wanted);

    l->count = 0;
    for (unsigned i = 0; i < count; i++) {
        enum err e = open_one(&l->fds[l->count], &wanted[i], passed);

        if (e == ERR_OK) {
            l->bound[l->count++] = wanted[i];
        } else if (!is_tolerated(s, l, e)) {
            explain(e, &wanted[i], problem, room);
            tcp_listener_close(l);
            return e;
        }
    }
    return ERR_OK;
}
