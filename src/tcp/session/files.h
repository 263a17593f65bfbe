/* What the session does with files while CONNECTED. */
#ifndef TCP_SESSION_FILES_H
#define TCP_SESSION_FILES_H

#include "base/err.h"
#include "tcp/session/session.h"
#include "tcp/tcp_stream.h"
#include "wire/frame.h"

#include <stdbool.h>

/* Our file ids are above the reference's eight digits; the side that dialled takes even ones. So an
 * abort that could mean a file of either side means one only. */
enum { TCP_FILE_ID_FIRST = 100000000 };

/* A piece that came while CONNECTED. */
void tcp_files_receive(struct tcp_connection *c, const struct frame_piece *piece);

/* Once a turn: starts files that wait, ends a session that has nothing more to do. */
void tcp_files_turn(struct tcp_connection *c);

/* As long as there is room in flight. */
void tcp_files_start_pending(struct tcp_connection *c);

/* Every unfinished file fails; `is_told`: an abort frame is queued for each first. */
void tcp_files_stop(struct tcp_connection *c, const char *reason, bool is_told);

/* Every send that waits fails, or is routed on if the host has another address. */
void tcp_files_fail_waiting(struct tcp_connection *c, const char *reason, bool may_route_on);

/* Once a second while files are under way: stall limits. */
void tcp_files_check(struct tcp_connection *c);

/* True while anything is to be watched by tcp_files_check. */
bool tcp_files_is_busy(const struct tcp_connection *c);

/* The writer found a file too short or unreadable. */
void tcp_files_broken(void *session, struct tcp_outgoing *out, enum err e);

#endif
