/* Connecting, reading and writing. */
#ifndef TCP_SESSION_IO_H
#define TCP_SESSION_IO_H

#include "base/err.h"
#include "loop/loop.h"
#include "tcp/session/core.h"

#include <stdbool.h>
#include <stdint.h>

/* The watch_fn of every session. */
void session_io_ready(struct watch *w, uint32_t events);

/* One read of a bounded size; each frame in it feeds data-received. */
void session_io_read(struct session *c);

/* A bounded share of what waits for the peer. In DISCONNECT, when nothing is left: our end of
 * file, and the linger begins. */
void session_io_write(struct session *c);

/* At the end of a turn that moved bytes or not: when the socket is read and written next. */
void session_io_schedule(struct session *c, bool has_moved);

/* The socket's options, from the settings of now. */
void session_io_set_options(const struct session *c);

/* The session's socket, watched from here on: one that was accepted (on failure still the
 * caller's), or one that connects to its peer. */
enum err session_io_accept(struct session *c, int fd);
enum err session_io_connect(struct session *c);

/* AT_STARTUP: feeds connection-made when the link is done with its handshake, or ends the session
 * if that failed. Until then once a turn. */
void session_io_handshake(struct session *c);

#endif
