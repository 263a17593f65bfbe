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

/* From here on `fd` is the session's; on failure still the caller's. */
enum err session_io_watch(struct session *c, int fd);

/* One read of a bounded size; each frame in it feeds data-received. */
void session_io_read(struct session *c);

/* A bounded share of what waits for the peer. In DISCONNECT, when nothing is left: our end of
 * file, and the linger begins. */
void session_io_write(struct session *c);

/* At the end of a turn that moved bytes or not: when the socket is read and written next. */
void session_io_schedule(struct session *c, bool has_moved);

/* The socket's options, from the settings of now. */
void session_io_set_options(const struct session *c);

/* connect(2) without waiting. */
enum err session_io_connect(struct session *c);
/* The outcome of that: feeds connection-made, or ends the session. */
void session_io_finish_connect(struct session *c);

#endif
