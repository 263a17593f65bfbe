/* Checks of the peer's identity, frames and files against the settings. */
#ifndef TCP_SESSION_LIMITS_H
#define TCP_SESSION_LIMITS_H

#include "gateway/transport_ops.h"
#include "tcp/session/core.h"
#include "wire/frame.h"

#include <stdbool.h>
#include <stddef.h>

/* True if the peer has no identity: empty, or the word None. */
bool session_limits_is_anonymous(const void *idurl, size_t length);

/* True if [access] and [sessions] idurl-limit-bytes allow a peer with this identity. */
bool session_limits_is_idurl_allowed(const struct session *c, const void *idurl, size_t length);

/* Counts the rejected first frame `piece`, as a violation if it is malformed, and writes to
 * `reason` why it was rejected. */
void session_limits_reject(struct session *c, const struct frame_piece *piece, char *reason,
                           size_t room);

/* Counts a handshake timeout, as a violation too. */
void session_limits_handshake_timed_out(struct session *c);

/* After the read of a turn. True: a receive limit left input unread, so the peer is not to be
 * treated as silent. */
bool session_limits_has_unread_input(const struct session *c);

/* Half-open limit reached: drops the session, unless its next turn reads its hello. */
void session_limits_evict(struct session *c);

/* After the read of a turn, for a session that is being evicted: drops it if the hello did not
 * arrive. */
void session_limits_finish_eviction(struct session *c);

/* The peer broke the protocol: records a violation of its address, which may start a penalty. */
void session_limits_record_violation(struct session *c);

/* Counts a malformed frame received while CONNECTED, as a violation too. */
void session_limits_bad_frame(struct session *c, const struct frame_piece *piece);

/* Why the new file that `piece` begins is refused, for log and abort; counted. NULL: accepted. */
const char *session_limits_file_refusal(const struct session *c, const struct frame_piece *piece);

/* Counts a new file against [access] files-per-s of the address. */
void session_limits_count_file(struct session *c);

/* False: the address is over its [access] files-per-s; nothing is read until it is below. */
bool session_limits_may_read_files(struct session *c);

/* The text of an abort frame, escaped and without the leading space that BitDust sends. */
void session_limits_abort_reason(const struct session *c, char to[GATEWAY_TRANSFER_ERROR_SIZE],
                                 const struct frame_piece *piece);

/* Why the lists of [access] forbid the session, counted; NULL: allowed. */
const char *session_limits_access_refusal(const struct session *c);

#endif
