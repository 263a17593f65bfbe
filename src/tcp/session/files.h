/* What the session does with files while CONNECTED. */
#ifndef TCP_SESSION_FILES_H
#define TCP_SESSION_FILES_H

#include "base/err.h"
#include "gateway/transport_ops.h"
#include "tcp/session/core.h"
#include "transfer/outgoing.h"
#include "wire/frame.h"

#include <stdbool.h>
#include <stdint.h>

/* Our file ids are above the reference's eight digits; the side that dialled takes even ones. So an
 * abort that could mean a file of either side means one only. */
enum { SESSION_FILE_ID_FIRST = 100000000 };

/* A piece that came while CONNECTED. */
void session_files_receive(struct session *c, const struct frame_piece *piece);

/* Once a turn: starts files that wait, ends a session that has nothing more to do. */
void session_files_turn(struct session *c);

/* As long as there is room in flight. */
void session_files_start_pending(struct session *c);

/* Every unfinished file fails; `is_told`: an abort frame is queued for each first. */
void session_files_stop(struct session *c, const char *reason, bool is_told);

/* Every send that waits fails, or is routed on if the host has another address. */
void session_files_fail_waiting(struct session *c, const char *reason, bool may_route_on);

/* Once a second while files are under way: stall limits. */
void session_files_check(struct session *c);

/* True while anything is to be watched by session_files_check. */
bool session_files_is_busy(const struct session *c);

/* Takes the request; its outcome is answered through it. */
void session_files_send(struct session *c, struct send_request *send);

/* Cancels every file that `r` describes; true if there was one. */
bool session_files_cancel_sending(struct session *c, const struct cancel_request *r);
bool session_files_cancel_receiving(struct session *c, uint32_t transfer_id);

/* The writer found a file too short or unreadable. */
void session_files_broken(void *session, struct transfer_outgoing *out, enum err e);

#endif
