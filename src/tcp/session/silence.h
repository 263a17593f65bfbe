/* Whether a peer that owes us acknowledgements is still there, by what the kernel knows of the
 * connection (tcp(7), TCP_INFO). Not TCP_USER_TIMEOUT: that also ends a connection whose peer
 * answers every probe and only keeps its window shut, because it does not read for a while.
 *
 * A peer is silent since we first saw that something is unanswered, or since its last ACK if that
 * came later. With its window open, what was sent and not acknowledged is unanswered. With its
 * window shut the kernel only probes, and ever more rarely, so nothing but a probe that was sent
 * and not acknowledged is. Owner: the session. */
#ifndef TCP_SESSION_SILENCE_H
#define TCP_SESSION_SILENCE_H

#include <stddef.h>
#include <stdint.h>

struct tcp_info;

struct session_silence {
    uint64_t since_ms; /* 0: nothing is unanswered */
};

/* For how long the peer has been silent at `now_ms`; 0: it owes nothing, or answers. `length`: how
 * much of `info` the kernel filled in. Pure. */
uint64_t session_silence_update(struct session_silence *s, const struct tcp_info *info,
                                size_t length, uint64_t now_ms);

/* The same for a socket; one without TCP_INFO is not silent. */
uint64_t session_silence_of(struct session_silence *s, int fd, uint64_t now_ms);

/* How long ago the last ACK came; 0 without TCP_INFO. */
uint64_t session_silence_last_ack_ms(int fd);

/* Bytes that the peer's kernel has not acknowledged, an end of file too; 0 if the kernel does not
 * say. */
unsigned session_silence_unacknowledged(int fd);

#endif
