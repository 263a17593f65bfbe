/* The thread that waits on the listening sockets: accepts until there is nobody left, gives each
 * socket to the worker with the fewest sessions, and forgets it. */
#ifndef TCP_ACCEPTOR_H
#define TCP_ACCEPTOR_H

#include "base/err.h"
#include "tcp/directory.h"
#include "tcp/message.h"
#include "tcp/worker.h"

struct acceptor;

struct acceptor_config {
    const struct settings *settings; /* copied */
    struct tcp_directory *directory;
    struct worker *const *workers;
};

enum err acceptor_open(struct acceptor **out, const struct acceptor_config *config);
enum err acceptor_start(struct acceptor *acceptor);
void acceptor_stop(struct acceptor *acceptor); /* closes its sockets */
void acceptor_close(struct acceptor **acceptor);

/* Any thread. New settings. Always taken. */
void acceptor_post_settings(struct acceptor *acceptor, struct tcp_serve *serve);

/* Any thread. Always taken. Closes the sockets there are, listens on those given (perhaps none),
 * answers. What was accepted before has then been posted to its worker. */
void acceptor_post_listen(struct acceptor *acceptor, struct tcp_listen *listen);

#endif
