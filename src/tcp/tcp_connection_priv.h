/* What the parts of a session show each other: tcp_connection.c is its life and its socket,
 * tcp_connection_files.c what it does with files while CONNECTED. */
#ifndef TCP_TCP_CONNECTION_PRIV_H
#define TCP_TCP_CONNECTION_PRIV_H

#include "tcp/tcp_connection.h"

/* tcp_connection.c */

/* The session has something to do when the mail of this turn is through. */
void tcp_connection_wake(struct tcp_connection *c);

/* tcp_connection_files.c */

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
