/* Listening sockets made from the settings. Supervisor thread; the acceptor gets the descriptors.
 */
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

/* The addresses that the settings ask for. */
unsigned tcp_listener_addresses(const struct settings *s, struct address out[TCP_LISTENERS_MAX]);

/* All of them or none; `problem` gets a sentence that names the address and the reason. An address
 * for which a socket was passed is listened on with a duplicate of that. */
enum err tcp_listener_open(struct tcp_listener *l, const struct settings *s,
                           const struct passed_sockets *passed, char *problem, size_t room);
void tcp_listener_close(struct tcp_listener *l);

#endif
