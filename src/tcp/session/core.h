/* What the parts of a session offer each other. Each part calls only those above it here:
 *
 *   core       the reason, the timer, the events that end it
 *   limits     what the peer may not do
 *   dropped    incoming files that were aborted
 *   handshake  hello and wazap
 *   files      what the session does with files while CONNECTED
 *   time       what follows when the timer fires
 *   socket     connecting, reading and writing
 *
 * On top is session.c: the table and its actions, the turn, creation and end. */
#ifndef TCP_SESSION_CORE_H
#define TCP_SESSION_CORE_H

#include "base/err.h"
#include "base/log.h"
#include "tcp/session/session.h"

#include <stdbool.h>
#include <stdint.h>

#define SESSION_CORE_MAGIC 0x636f6e6eu /* "conn" */

enum {
    SESSION_REASON_MAX = 95, /* bytes of a session's reason that are kept */
};

/* Its .c also defines state, disconnect, drop and acknowledged of session.h. */

/* The session runs once more when the mail of this turn is delivered. */
void session_core_wake(struct session *c);

/* The first reason given is kept. */
void session_core_set_reason(struct session *c, const char *reason);
/* "" if there is none. */
const char *session_core_reason(const struct session *c);

/* The socket is of no more use: feeds connection-lost. */
void session_core_lose(struct session *c, const char *reason);

/* After something was queued for the peer: wakes the session, or ends it if there was no memory. */
void session_core_must(struct session *c, enum err e);

void session_core_set_timer(struct session *c, uint64_t delay_ms);

/* Limits and an unread socket are checked within `most_ms`, though the timer may be set for a
 * keep-alive that is far off. */
void session_core_check_soon(struct session *c, uint64_t most_ms);

/* True if sends to an announced address come here. */
bool session_core_is_routed(const struct session *c);

/* More files in or out would mean more calls for a gateway, or more unlinks for a disk, that has
 * too many waiting already: the session is not read, and its peer is not late. */
bool session_core_is_backpressured(const struct session *c);

void session_core_log(enum log_level level, const struct session *c, const char *what);

#endif
