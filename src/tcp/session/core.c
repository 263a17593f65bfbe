/* What all parts of a session use: why it ends, its timer, and the events that end it. */
#include "tcp/session/core.h"

#include "base/log.h"
#include "base/text.h"
#include "tcp/session/session.h"

#include <string.h>

enum {
    DISCARDS_MAX = 2000, /* a worker's: partial files that a slow disk has not removed yet */
};

enum tcp_connection_state tcp_connection_state(const struct tcp_connection *c)
{
    return (enum tcp_connection_state)c->automat.state;
}

bool tcp_connection_is_routed(const struct tcp_connection *c)
{
    return c->route.family != ADDRESS_NONE;
}

bool tcp_connection_is_backpressured(const struct tcp_connection *c)
{
    return c->home->discards >= DISCARDS_MAX || gateway_is_full(c->home->gateway);
}

/* What was handed over less what waits in the kernel to be sent or acknowledged: bytes that have
 * reached the peer's machine, read there or not. */
uint64_t tcp_connection_acknowledged(const struct tcp_connection *c)
{
    uint64_t waiting = c->watch.fd < 0 ? UINT64_MAX : silence_unacknowledged(c->watch.fd);

    return waiting > c->writer.sent_bytes ? 0 : c->writer.sent_bytes - waiting;
}

void tcp_connection_log(enum log_level level, const struct tcp_connection *c, const char *what)
{
    char peer[ADDRESS_TEXT_SIZE];

    log_life(level, c->id, address_text(peer, &c->peer), "%s", what);
}

void tcp_connection_wake(struct tcp_connection *c)
{
    if (!c->is_unfinished)
        c->home->news->unfinished(c->home->news_to, c);
}

void tcp_connection_must(struct tcp_connection *c, enum err e)
{
    if (e != ERR_OK)
        tcp_connection_disconnect(c, err_text(e));
    tcp_connection_wake(c);
}

/* Its timer. */

void tcp_connection_set_timer(struct tcp_connection *c, uint64_t delay_ms)
{
    c->is_due = false;
    loop_set_timer(c->home->loop, &c->timer, delay_ms);
}

void tcp_connection_check_soon(struct tcp_connection *c, uint64_t most_ms)
{
    if (c->is_due)
        return;
    if (!c->timer.is_set || c->timer.deadline_ms > loop_now_ms(c->home->loop) + most_ms)
        tcp_connection_set_timer(c, most_ms);
}

/* Why it ends. */

/* Without memory there is none. */
void tcp_connection_set_reason(struct tcp_connection *c, const char *reason)
{
    if (c->reason == NULL)
        c->reason = text_dup(reason, strnlen(reason, TCP_REASON_MAX));
}

const char *tcp_connection_reason(const struct tcp_connection *c)
{
    return c->reason == NULL ? "" : c->reason;
}

/* Ends. */

void tcp_connection_disconnect(struct tcp_connection *c, const char *reason)
{
    if (c->is_ending)
        return;
    c->is_ending = true;
    tcp_connection_set_reason(c, reason);
    if (tcp_connection_state(c) == ST_AT_STARTUP)
        tcp_connection_wake(c); /* never opened: its next turn frees it */
    else
        automat_feed(&c->automat, EV_DISCONNECT, NULL);
}

void tcp_connection_lose(struct tcp_connection *c, const char *reason)
{
    tcp_connection_set_reason(c, reason);
    automat_feed(&c->automat, EV_CONNECTION_LOST, NULL);
}

void tcp_connection_drop(struct tcp_connection *c, const char *reason)
{
    c->is_ending = true;
    if (tcp_connection_state(c) == ST_AT_STARTUP) {
        tcp_connection_set_reason(c, reason);
        tcp_connection_wake(c);
    } else {
        tcp_connection_lose(c, reason);
    }
}
