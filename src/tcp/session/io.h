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

/* One read of bounded size; each frame piece in it feeds data-received. */
void session_io_read(struct session *c);

/* Writes a bounded number of frames. In DISCONNECT, when nothing is left, sends our end of file and
 * starts the linger timeout. */
void session_io_write(struct session *c);

/* At the end of a turn: schedules the next read and write. `has_moved`: the turn read or wrote. */
void session_io_schedule(struct session *c, bool has_moved);

/* Sets the socket's options from the current settings. */
void session_io_set_options(const struct session *c);

/* Start watching the session's socket: an accepted one (on failure still the caller's), or one that
 * connects to the peer. */
enum err session_io_accept(struct session *c, int fd);
enum err session_io_connect(struct session *c);

/* AT_STARTUP, once a turn: feeds connection-made when the link's handshake is done, or disconnects
 * if it failed. */
void session_io_handshake(struct session *c);

#endif
