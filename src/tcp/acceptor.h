/* The thread of the listening sockets: accepts until EAGAIN, and passes each socket to the worker
 * with the fewest sessions. */
#ifndef TCP_ACCEPTOR_H
#define TCP_ACCEPTOR_H

#include "base/err.h"
#include "tcp/directory.h"
#include "tcp/message.h"
#include "tcp/worker.h"

struct tcp_acceptor;

struct tcp_acceptor_config {
    const struct settings *settings; /* copied */
    struct tcp_directory *directory;
    struct tcp_worker *const *workers;
};

enum err tcp_acceptor_open(struct tcp_acceptor **out, const struct tcp_acceptor_config *config);
enum err tcp_acceptor_start(struct tcp_acceptor *acceptor);
void tcp_acceptor_stop(struct tcp_acceptor *acceptor); /* closes its sockets */
void tcp_acceptor_close(struct tcp_acceptor **acceptor);

/* Any thread. New settings. Cannot fail. */
void tcp_acceptor_post_settings(struct tcp_acceptor *acceptor, struct tcp_serve *serve);

/* Any thread. Closes the current listening sockets, listens on those given (possibly none),
 * answers. Connections accepted before have been posted to their workers then. Cannot fail. */
void tcp_acceptor_post_listen(struct tcp_acceptor *acceptor, struct tcp_listen *listen);

#endif
