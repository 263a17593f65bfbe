/* Opens listening sockets according to the settings. Supervisor thread; the descriptors are passed
 * to the acceptor. */
#ifndef TCP_LISTENER_H
#define TCP_LISTENER_H

#include "base/address.h"
#include "base/err.h"
#include "settings/settings.h"
#include "tcp/message.h"

#include <stddef.h>

enum { TCP_LISTENERS_MAX = SETTINGS_LISTEN_MAX + 2 };

struct tcp_listener {
    unsigned count;
    int fds[TCP_LISTENERS_MAX];
    struct address bound[TCP_LISTENERS_MAX];
};

/* The addresses to listen on; returns their number. */
unsigned tcp_listener_addresses(const struct settings *s, struct address out[TCP_LISTENERS_MAX]);

/* Opens all or none; on an error `problem` names the address and the reason. For an address with a
 * passed socket a duplicate of that is used. */
enum err tcp_listener_open(struct tcp_listener *l, const struct settings *s,
                           const struct passed_sockets *passed, char *problem, size_t room);
void tcp_listener_close(struct tcp_listener *l);

#endif
