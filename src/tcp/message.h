/* Everything that crosses threads inside tcp, besides the requests of transport_ops, which travel
 * as they are. Each is given away by posting it. */
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

/* acceptor -> worker: a session without a hello that gives way to a newcomer. malloc; the worker
 * frees it. */
struct tcp_evict {
    struct message message;
    uint64_t session;
};

/* node -> worker, acceptor: new settings, and whether to serve (take sessions and sends). malloc;
 * who takes it frees it. */
struct tcp_serve {
    struct message message;
    struct settings settings;
    bool is_serving;
};

/* node -> worker -> node: end every session. Files under way may finish for `grace_ms`. */
struct tcp_stop {
    struct request request;
    uint64_t grace_ms;
    bool is_final; /* the daemon ends: sessions go at once and without a word */
    void *node;
};

/* node -> acceptor -> node: close the listening sockets there are, then listen on `fds` (their
 * ownership goes along). */
struct tcp_listen {
    struct request request;
    unsigned count;
    int fds[SETTINGS_LISTEN_MAX + 2];
    void *node;
};

/* From outside: listening sockets that the service manager opened: `count` descriptors in a row.
 * They are used in place of our own where they are what the settings ask for, and stay open. */
struct passed_sockets {
    int first_fd;
    unsigned count;
};

#endif
