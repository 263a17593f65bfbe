/* The byte stream between a session and its peer: plain TCP. Only this file connects, receives,
 * sends and shuts down; encryption can be added here without a change of reader (io) and writer.
 * It does not interpret the bytes, and never blocks. Owner: the session.
 *
 * Readiness is edge-triggered: the owner passes the poller's events to session_link_ready, and the
 * link keeps whether receiving and sending can make progress. ERR_AGAIN from any function: no bytes
 * were transferred, try again after the next readiness event. Any other error closes the link for
 * both directions, the peer's end of file for receiving. */
#ifndef TCP_SESSION_LINK_H
#define TCP_SESSION_LINK_H

#include "base/address.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Private except `fd`, which others may watch and query. */
struct session_link {
    int fd;             /* -1: none */
    bool is_connecting; /* connect(2) is in progress */
    bool has_pending;
    bool is_writable;
    bool has_end; /* the poller reported end of file or reset */
};

void session_link_init(struct session_link *l);

/* Takes ownership of an accepted socket. */
void session_link_take(struct session_link *l, int fd);

/* Starts a non-blocking connect to `peer`. On an error no socket is open. */
enum err session_link_connect(struct session_link *l, const struct address *peer);

/* Sets TCP_NODELAY, and TCP keep-alive probes for a peer silent for `keep_alive_s` (0: none). */
void session_link_set_options(const struct session_link *l, int keep_alive_s);

/* A no-op without a socket. Sent bytes are still delivered; unread input is discarded. */
void session_link_close(struct session_link *l);

/* `events`: EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR of the socket. */
void session_link_ready(struct session_link *l, uint32_t events);

/* What precedes the session's first byte; for plain TCP the end of the connect. ERR_OK: done, for
 * an accepted socket at once. ERR_AGAIN: call again when the socket is ready. */
enum err session_link_handshake(struct session_link *l);

/* Receives at most `size` bytes; ERR_OK with `*received` 0 is the peer's end of file. Call
 * session_link_has_pending to learn whether there may be more. */
enum err session_link_recv(struct session_link *l, void *to, size_t size, size_t *received);

/* True if session_link_recv may return bytes without another readiness event. A recv shorter than
 * its buffer does not imply that the socket is empty; only false here does. */
bool session_link_has_pending(const struct session_link *l);

/* Makes session_link_has_pending true until a recv finds nothing: for bytes that the poller may not
 * have reported yet. */
void session_link_recheck(struct session_link *l);

/* True if the peer's end of file, or a reset, is known to follow the pending bytes. */
bool session_link_has_end(const struct session_link *l);

/* Sends some of `bytes`, at least one on ERR_OK. The next call must begin with the bytes not sent,
 * at any address, with or without more after them: frames are gathered in a shared buffer, and only
 * their unsent rest is copied (with OpenSSL: SSL_MODE_ENABLE_PARTIAL_WRITE and
 * SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER). A short send does not imply that the socket is full. */
enum err session_link_send(struct session_link *l, const void *bytes, size_t length, size_t *sent);

/* True if session_link_send may make progress. */
bool session_link_is_writable(const struct session_link *l);

/* Sends our end of file after all sent bytes; receiving continues. ERR_AGAIN: not sent, call again
 * when it is writable. */
enum err session_link_shutdown(struct session_link *l);

#endif
