/* Messages between threads inside tcp, besides the requests of transport_ops. Posting a message
 * passes its ownership. */
#ifndef TCP_MESSAGE_H
#define TCP_MESSAGE_H

#include "base/address.h"
#include "loop/mailbox.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stdint.h>

/* acceptor -> worker: a new socket and its place in the directory. malloc; the worker frees it. */
struct tcp_accepted {
    struct message message;
    int fd;
    uint64_t session;
    struct address peer;
};

/* acceptor -> worker: evict a session without a hello. malloc; the worker frees it. */
struct tcp_evict {
    struct message message;
    uint64_t session;
};

/* node -> worker, acceptor: new settings, and whether to accept sessions and sends. malloc; the
 * receiver frees it. */
struct tcp_serve {
    struct message message;
    struct settings settings;
    bool is_serving;
};

/* node -> worker -> node: end every session. Active files have `grace_ms` to finish. */
struct tcp_stop {
    struct request request;
    uint64_t grace_ms;
    bool is_final; /* the daemon stops: sessions are dropped at once */
    void *node;
};

/* node -> acceptor -> node: close the current listening sockets, then listen on `fds` (ownership
 * passes to the acceptor). */
struct tcp_listen {
    struct request request;
    unsigned count;
    int fds[SETTINGS_LISTEN_MAX + 2];
    void *node;
};

/* Listening sockets passed by the service manager: `count` consecutive descriptors. One that is
 * bound to an address of the settings is used instead of a new socket. They stay open. */
struct passed_sockets {
    int first_fd;
    unsigned count;
};

#endif
