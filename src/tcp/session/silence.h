/* Detects an unreachable peer by unacknowledged data (tcp(7), TCP_INFO). TCP_USER_TIMEOUT is no
 * substitute: it also closes a connection whose peer answers every window probe, but keeps its
 * receive window at zero because the program does not read.
 *
 * A peer is silent since data was first seen unanswered, or since its last ACK if that is later.
 * With an open window, sent and unacknowledged data is unanswered; with a zero window, only an
 * unacknowledged probe is, since the kernel sends nothing but probes, at growing intervals. Owner:
 * the session. */
#ifndef TCP_SESSION_SILENCE_H
#define TCP_SESSION_SILENCE_H

#include <stddef.h>
#include <stdint.h>

struct tcp_info;

struct session_silence {
    uint64_t since_ms; /* 0: nothing is unanswered */
};

/* How long the peer has been silent at `now_ms`; 0: nothing is unanswered. `length`: how much of
 * `info` the kernel filled in. Pure. */
uint64_t session_silence_update(struct session_silence *s, const struct tcp_info *info,
                                size_t length, uint64_t now_ms);

/* The same for a socket; 0 without TCP_INFO. */
uint64_t session_silence_of(struct session_silence *s, int fd, uint64_t now_ms);

/* Time since the last ACK; 0 without TCP_INFO. */
uint64_t session_silence_last_ack_ms(int fd);

/* Bytes not acknowledged by the peer's kernel, including an end of file; 0 if unknown. */
unsigned session_silence_unacknowledged(int fd);

#endif
