/* clang-format off */
/* One TCP session: the state machine tcp_connection. Owner: one worker, which never changes.
 * More functions of a session: core.h, files.h (sends, cancels), limits.h.
 *
 *               incoming                   outgoing
 *                   \      AT_STARTUP      /            a socket, nothing sent yet
 *             connection-made      connection-made
 *                    v                   v
 *                 SERVER?             CLIENT?
 *            waits for the hello    hello sent, waits for the wazap
 *                    |   data-received   |
 *                    +---> CONNECTED <---+              files in both directions
 *                    |         |         |
 *   timer-10sec, disconnect,   | disconnect, a bad frame
 *   an unexpected frame        |         |
 *                    v         v         v
 *                    +---> DISCONNECT <--+              queued frames are sent and received bytes are
 *                              |                        discarded until the peer closes
 *                              |
 *                              v connection-lost, in any state
 *                           CLOSED                      freed by the worker after the turn
 */
/* clang-format on */
#ifndef TCP_SESSION_SESSION_H
#define TCP_SESSION_SESSION_H

#include "base/address.h"
#include "gateway/transport_ops.h"
#include "tcp/session/core.h"

#include <stdbool.h>
#include <stdint.h>

/* All in the worker's thread. */

/* Opens a session on the accepted socket `fd`. Takes ownership of `fd` and of the session's place
 * in the directory, also on failure. */
enum err session_accept(struct session **out, struct tcp_context *context, uint64_t id, int fd,
                        const struct address *peer);

/* Opens a session and starts a non-blocking connect to `peer`. A failed connect, also one that
 * fails at once, is reported in the session's next turn. ERR_NO_MEMORY: no session. */
enum err session_dial(struct session **out, struct tcp_context *context, uint64_t id,
                      const struct address *peer);

/* After CLOSED, at the end of the turn. NULL is a no-op. */
void session_free(struct session **session);

/* Runs a scheduled session: reads, handles timeouts, starts files, writes. */
void session_turn(struct session *c);

/* Answers `r` when the session is CONNECTED; at once if it is already, or is ending. A session that
 * cannot be established passes it to route_host_next. */
void session_add_waiter(struct session *c, struct host_request *r);

/* Accepts no new files; disconnects when none is active. */
void session_drain(struct session *c);
/* Sends a wazap; false if not CONNECTED. */
bool session_keep_alive(struct session *c);
/* Applies the context's new settings: access lists, socket options, timeouts. */
void session_settings_changed(struct session *c);

void session_describe(const struct session *c, struct session_info *out);

#endif
