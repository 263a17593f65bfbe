/* File transfer of a session while CONNECTED. */
#ifndef TCP_SESSION_FILES_H
#define TCP_SESSION_FILES_H

#include "base/err.h"
#include "gateway/transport_ops.h"
#include "tcp/session/core.h"
#include "transfer/outgoing.h"
#include "wire/frame.h"

#include <stdbool.h>
#include <stdint.h>

/* Our file ids are above the eight digits of BitDust's, and the side that dialled uses even ones:
 * an abort frame names a file of one side only. */
enum { SESSION_FILE_ID_FIRST = 100000000 };

/* Handles a piece received while CONNECTED. */
void session_files_receive(struct session *c, const struct frame_piece *piece);

/* Once a turn: starts pending files; disconnects a draining or single-file session when none is
 * left. */
void session_files_turn(struct session *c);

/* Starts pending files while fewer than [sessions] files-out-limit are active. */
void session_files_start_pending(struct session *c);

/* Fails every unfinished file; with `has_aborts` an abort frame is queued for each. */
void session_files_stop(struct session *c, const char *reason, bool has_aborts);

/* Fails every pending send; with `is_rerouted` each tries the next address of its host first. */
void session_files_fail_waiting(struct session *c, const char *reason, bool is_rerouted);

/* Once a second while files are active: checks their timeouts. */
void session_files_check(struct session *c);

/* True while session_files_check has something to check. */
bool session_files_is_busy(const struct session *c);

/* Takes ownership of `send` until it is answered with the result. */
void session_files_send(struct session *c, struct send_request *send);

/* Cancels every file that matches; true if one did. */
bool session_files_cancel_sending(struct session *c, const struct cancel_request *r);
bool session_files_cancel_receiving(struct session *c, uint32_t transfer_id);

/* Fails a file that the writer could not read: session_writer_read_failed_fn. */
void session_files_read_failed(void *session, struct transfer_outgoing *out, enum err e);

#endif
