/* The stream of bytes between a session and its peer: plain TCP. Only this file connects, receives,
 * sends and shuts down, so encryption is put in here, and what reads (io) and what writes (the
 * writer) stay as they are. It knows no frame, and never waits. Owner: the session.
 *
 * Readiness is edge-triggered: the owner tells the link what the poller says (session_link_ready),
 * and the link remembers what is worth a try, whichever way its own bytes have to go for it.
 * ERR_AGAIN from any function: nothing was moved, and a readiness to come says when to try again.
 * Every other error is the end of the link, as is the peer's end of file for what it sends. */
#ifndef TCP_SESSION_LINK_H
#define TCP_SESSION_LINK_H

#include "base/address.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Read by others: `fd` only, to be watched and asked about. */
struct session_link {
    int fd;             /* -1: none */
    bool is_connecting; /* the outcome of connect(2) is not known */
    bool has_pending;
    bool has_room;
    bool has_end; /* end of file or reset was announced */
};

void session_link_init(struct session_link *l);

/* A socket that was accepted: the link's from here. */
void session_link_take(struct session_link *l, int fd);

/* Connects to `peer`, without waiting for the outcome. On an error there is no socket. */
enum err session_link_connect(struct session_link *l, const struct address *peer);

/* Nothing is delayed, and a peer that says nothing for `keep_alive_s` is probed (0: is not). */
void session_link_set_options(const struct session_link *l, int keep_alive_s);

/* None is a no-op. What was sent goes out; what was not received is lost. */
void session_link_close(struct session_link *l);

/* EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR of the socket. */
void session_link_ready(struct session_link *l, uint32_t events);

/* Whatever has to be done before the first byte of the session. ERR_OK: it is done, as it is at
 * once for an accepted socket, and for a connected one when the connect has succeeded. ERR_AGAIN:
 * to be called again when the socket was ready. */
enum err session_link_handshake(struct session_link *l);

/* Receives at most `room` bytes; ERR_OK with none is the peer's end of file. Afterwards has_pending
 * says whether there may be more. */
enum err session_link_recv(struct session_link *l, void *to, size_t room, size_t *received);

/* True if another session_link_recv may give something without another readiness: the socket was
 * not emptied, or bytes lie in the link itself. A recv of less than its room need not mean that
 * nothing is left; only this does. */
bool session_link_has_pending(const struct session_link *l);

/* Something may have come that the poller has not told of yet: has_pending is true until a recv
 * finds nothing. */
void session_link_recheck(struct session_link *l);

/* True if the peer's end of file, or a reset, is known to lie behind what is pending. */
bool session_link_has_end(const struct session_link *l);

/* Sends some of `bytes`, at least one on ERR_OK. What was not taken has to come first in the next
 * call: the same bytes, with more behind them or not. They may have moved, since frames are
 * gathered in a buffer that all sessions share, and only what is left of them is kept; with OpenSSL
 * that is SSL_MODE_ENABLE_PARTIAL_WRITE and SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER. Taking less than
 * `length` need not mean that there is no room. */
enum err session_link_send(struct session_link *l, const void *bytes, size_t length, size_t *sent);

/* True if session_link_send may take something. */
bool session_link_has_room(const struct session_link *l);

/* Our end of file, after everything that was sent; receiving goes on. ERR_AGAIN: it is not out, to
 * be called again when there is room. */
enum err session_link_shutdown(struct session_link *l);

#endif
