/* What the peer may not do. */
#ifndef TCP_SESSION_LIMITS_H
#define TCP_SESSION_LIMITS_H

#include "gateway/transport_ops.h"
#include "tcp/session/core.h"
#include "wire/frame.h"

#include <stdbool.h>
#include <stddef.h>

/* True for an identity that is none: empty, or the word None. */
bool session_limits_is_nobody(const void *idurl, size_t length);

/* True if a peer that calls itself so may have a session. */
bool session_limits_is_welcome(const struct session *c, const void *idurl, size_t length);

/* Counts and judges the piece that did not open the session; `reason` is what is wrong with it. */
void session_limits_refuse(struct session *c, const struct frame_piece *piece, char *reason,
                           size_t room);

/* The handshake's deadline is over. */
void session_limits_late(struct session *c);

/* After a turn to read: what the peer said waits for bandwidth, and it is not judged by its
 * silence. */
bool session_limits_is_unread(const struct session *c);

/* Makes place for a newcomer: lost without a word, unless its hello is read in its next turn. */
void session_limits_evict(struct session *c);

/* One that is giving way has had its turn to read: without a hello it is dropped. */
void session_limits_give_way(struct session *c);

/* The peer broke the protocol: counts against the address that it comes from. */
void session_limits_blame(struct session *c);

/* A frame that nobody may send came while CONNECTED. */
void session_limits_bad_frame(struct session *c, const struct frame_piece *piece);

/* A sentence why the new file that `piece` begins is not taken, counted; NULL: it is. */
const char *session_limits_why_not(const struct session *c, const struct frame_piece *piece);

/* A file begins: it counts against [access] files-per-s of the address. */
void session_limits_count_file(struct session *c);

/* False: more files began than the address may begin; nothing is read until its rate has made up
 * for them. */
bool session_limits_may_read_files(struct session *c);

/* An abort's text, made fit for people: the reference's begins with a space. */
void session_limits_abort_reason(const struct session *c, char to[GATEWAY_TRANSFER_ERROR_SIZE],
                                 const struct frame_piece *piece);

/* Why the lists of [access] do not let the session be, counted; NULL: they do. */
const char *session_limits_of_access(const struct session *c);

#endif
