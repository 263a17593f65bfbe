/* Connecting, reading and writing. */
#ifndef TCP_SESSION_IO_H
#define TCP_SESSION_IO_H

#include "base/err.h"
#include "loop/loop.h"
#include "tcp/session/session.h"

#include <stdbool.h>
#include <stdint.h>

/* The watch_fn of every session. */
void tcp_socket_ready(struct watch *w, uint32_t events);

/* From here on `fd` is the session's; on failure still the caller's. */
enum err tcp_socket_watch(struct tcp_connection *c, int fd);

/* One read of a bounded size; each frame in it feeds data-received. */
void tcp_socket_read(struct tcp_connection *c);

/* A bounded share of what waits for the peer. In DISCONNECT, when nothing is left: our end of
 * file, and the linger begins. */
void tcp_socket_write(struct tcp_connection *c);

/* At the end of a turn that moved bytes or not: when the socket is read and written next. */
void tcp_socket_schedule(struct tcp_connection *c, bool has_moved);

/* The socket's options, from the settings of now. */
void tcp_socket_set_options(const struct tcp_connection *c);

/* connect(2) without waiting. */
enum err tcp_socket_connect(struct tcp_connection *c);
/* The outcome of that: feeds connection-made, or ends the session. */
void tcp_socket_finish_connect(struct tcp_connection *c);

#endif
