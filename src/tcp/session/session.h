/* clang-format off */
/* One TCP session: the state machine tcp_connection. Owner: one worker, for life.
 * What else is asked of a session is in core.h, files.h (sends, cancels) and limits.h.
 *
 *               incoming                   outgoing
 *                   \      AT_STARTUP      /            a socket, nothing sent yet
 *             connection-made      connection-made
 *                    v                   v
 *                 SERVER?             CLIENT?
 *            waits for the hello    has sent its hello, waits for the wazap
 *                    |   data-received   |
 *                    +---> CONNECTED <---+              files go both ways
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

/* A session over `fd`, accepted: taken over, closed on failure too. Its place in the directory is
 * the session's from here. */
enum err session_accept(struct session **out, struct tcp_home *home, uint64_t id, int fd,
                        const struct address *peer);

/* A session to be: connects without waiting. Whatever comes of it is told later, also a refusal
 * that is known at once. */
enum err session_dial(struct session **out, struct tcp_home *home, uint64_t id,
                      const struct address *peer);

/* After CLOSED, when the turn is over. */
void session_free(struct session **c);

/* The next turn of one that said `unfinished`. */
void session_turn(struct session *c);

/* Takes the request; its outcome is answered through it. */
void session_await(struct session *c, struct host_request *r);

/* Ends as soon as no file is under way. */
void session_drain(struct session *c);
bool session_keep_alive(struct session *c);
/* The home's settings are new: what runs on a timer looks again. */
void session_settings_changed(struct session *c);

void session_describe(const struct session *c, struct session_info *out);

#endif
