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
 * On top is tcp_connection.c: the table and its actions, the turn, creation and end. */
#ifndef TCP_TCP_CONNECTION_PRIV_H
#define TCP_TCP_CONNECTION_PRIV_H

#include "base/log.h"
#include "tcp/tcp_connection.h"

#define TCP_CONNECTION_MAGIC 0x636f6e6eu /* "conn" */

/* Our file ids are above the reference's eight digits; the side that dialled takes even ones. So an
 * abort that could mean a file of either side means one only. */
enum { TCP_FILE_ID_FIRST = 100000000 };

enum {
    TCP_REASON_MAX = 95, /* bytes of a session's reason that are kept */
    TCP_CHECK_MS = 1000, /* between the checks of files under way */
};

/* tcp_connection_core.c: also state, disconnect, drop and acknowledged of tcp_connection.h */

/* The session runs once more when the mail of this turn is delivered. */
void tcp_connection_wake(struct tcp_connection *c);

/* The first reason given is kept. */
void tcp_connection_set_reason(struct tcp_connection *c, const char *reason);
/* "" if there is none. */
const char *tcp_connection_reason(const struct tcp_connection *c);

/* The socket is of no more use: feeds connection-lost. */
void tcp_connection_lose(struct tcp_connection *c, const char *reason);

/* After something was queued for the peer: wakes the session, or ends it if there was no memory. */
void tcp_connection_must(struct tcp_connection *c, enum err e);

void tcp_connection_set_timer(struct tcp_connection *c, uint64_t delay_ms);

/* Limits and an unread socket are checked within `most_ms`, though the timer may be set for a
 * keep-alive that is far off. */
void tcp_connection_check_soon(struct tcp_connection *c, uint64_t most_ms);

/* True if sends to an announced address come here. */
bool tcp_connection_is_routed(const struct tcp_connection *c);

/* More files in or out would mean more calls for a gateway, or more unlinks for a disk, that has
 * too many waiting already: the session is not read, and its peer is not late. */
bool tcp_connection_is_backpressured(const struct tcp_connection *c);

void tcp_connection_log(enum log_level level, const struct tcp_connection *c, const char *what);

/* tcp_connection_limits.c */

/* True for an identity that is none: empty, or the word None. */
bool tcp_limits_is_nobody(const void *idurl, size_t length);

/* True if a peer that calls itself so may have a session. */
bool tcp_limits_is_welcome(const struct tcp_connection *c, const void *idurl, size_t length);

/* Counts and judges the piece that did not open the session; `reason` is what is wrong with it. */
void tcp_limits_refuse(struct tcp_connection *c, const struct frame_piece *piece, char *reason,
                       size_t room);

/* The handshake's deadline is over. */
void tcp_limits_late(struct tcp_connection *c);

/* After a turn to read: what the peer said waits for bandwidth, and it is not judged by its
 * silence. */
bool tcp_limits_is_unread(const struct tcp_connection *c);

/* One that is giving way has had its turn to read: without a hello it is dropped. */
void tcp_limits_give_way(struct tcp_connection *c);

/* The peer broke the protocol: counts against the address that it comes from. */
void tcp_limits_blame(struct tcp_connection *c);

/* A frame that nobody may send came while CONNECTED. */
void tcp_limits_bad_frame(struct tcp_connection *c, const struct frame_piece *piece);

/* A sentence why the new file that `piece` begins is not taken, counted; NULL: it is. */
const char *tcp_limits_why_not(const struct tcp_connection *c, const struct frame_piece *piece);

/* A file begins: it counts against [access] files-per-s of the address. */
void tcp_limits_count_file(struct tcp_connection *c);

/* False: more files began than the address may begin; nothing is read until its rate has made up
 * for them. */
bool tcp_limits_may_read_files(struct tcp_connection *c);

/* An abort's text, made fit for people: the reference's begins with a space. */
void tcp_limits_abort_reason(const struct tcp_connection *c, char to[TRANSFER_ERROR_SIZE],
                             const struct frame_piece *piece);

/* Why the lists of [access] do not let the session be, counted; NULL: they do. */
const char *tcp_limits_of_access(const struct tcp_connection *c);

/* tcp_connection_dropped.c */

/* The file with this id was given up, and its sender has not said that he knows. */
bool tcp_dropped_has(const struct tcp_connection *c, int32_t file_id);
/* One too many ends the session. */
void tcp_dropped_add(struct tcp_connection *c, int32_t file_id);
/* An unknown id is a no-op. */
void tcp_dropped_remove(struct tcp_connection *c, int32_t file_id);
bool tcp_dropped_is_any(const struct tcp_connection *c);
/* There are some, and their senders have had their time to answer. */
bool tcp_dropped_is_old(const struct tcp_connection *c);

/* One more file was aborted. Bounds what a peer can make us do with files that it begins only
 * to abort, however long we take for each. */
void tcp_dropped_count(struct tcp_connection *c);

/* tcp_connection_handshake.c: actions of the table, in its words, and what hello announced */

void do_send_hello(void *self, const void *arg);
void do_send_wazap(void *self, const void *arg);
void do_read_hello(void *self, const void *arg);
void do_read_wazap(void *self, const void *arg);

/* The address that the peer says it has, escaped; "" if it said nothing usable. */
const char *tcp_connection_announced(const struct tcp_connection *c, char room[ADDRESS_TEXT_SIZE]);

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

/* tcp_connection_time.c */

/* The fire function of every session's timer: the session judges it in its next turn. */
void tcp_time_is_up(struct timer *timer, void *ctx);

/* In the session's turn, when what had come was read: does what is due, if the timer has fired. */
void tcp_time_judge(struct tcp_connection *c);

/* tcp_connection_socket.c */

/* The watch_fn of every session. */
void tcp_socket_ready(struct watch *w, uint32_t events);

/* From here on `fd` is the session's; on failure still the caller's. */
enum err tcp_socket_watch(struct tcp_connection *c, int fd);

/* One read of a bounded size; each frame in it feeds data-received. */
void tcp_socket_read(struct tcp_connection *c);

/* A bounded share of what waits for the peer. In DISCONNECT, when nothing is left: our end of
 * file, and the linger begins. */
void tcp_socket_write(struct tcp_connection *c);

/* At the end of a turn that moved bytes or not: when the socket is read and written next. */
void tcp_socket_schedule(struct tcp_connection *c, bool has_moved);

/* The socket's options, from the settings of now. */
void tcp_socket_set_options(const struct tcp_connection *c);

/* connect(2) without waiting. */
enum err tcp_socket_connect(struct tcp_connection *c);
/* The outcome of that: feeds connection-made, or ends the session. */
void tcp_socket_finish_connect(struct tcp_connection *c);

#endif
