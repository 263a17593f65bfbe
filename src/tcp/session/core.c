/* What all parts of a session use: why it ends, its timer, and the events that end it. */
#include "tcp/session/core.h"

#include "base/log.h"
#include "base/text.h"

#include <string.h>

enum session_state session_core_state(const struct session *c)
{
    return (enum session_state)c->automat.state;
}

bool session_core_is_routed(const struct session *c)
{
    return c->route.family != ADDRESS_NONE;
}

bool session_core_is_backpressured(const struct session *c)
{
    return transfer_is_backpressured(&c->home->transfer);
}

/* What was handed over less what waits in the kernel to be sent or acknowledged: bytes that have
 * reached the peer's machine, read there or not. */
uint64_t session_core_acknowledged(const struct session *c)
{
    uint64_t waiting = c->link.fd < 0 ? UINT64_MAX : session_silence_unacknowledged(c->link.fd);

    return waiting > c->writer.sent_bytes ? 0 : c->writer.sent_bytes - waiting;
}

void session_core_log(enum log_level level, const struct session *c, const char *what)
{
    char peer[ADDRESS_TEXT_SIZE];

    log_life(level, c->id, address_text(peer, &c->peer), "%s", what);
}

void session_core_wake(struct session *c)
{
    if (!c->is_unfinished)
        c->home->news->unfinished(c->home->news_to, c);
}

void session_core_must(struct session *c, enum err e)
{
    if (e != ERR_OK)
        session_core_disconnect(c, err_text(e));
    session_core_wake(c);
}

/* Its timer. */

void session_core_set_timer(struct session *c, uint64_t delay_ms)
{
    c->is_due = false;
    loop_set_timer(c->home->loop, &c->timer, delay_ms);
}

void session_core_check_soon(struct session *c, uint64_t most_ms)
{
    if (c->is_due)
        return;
    if (!c->timer.is_set || c->timer.deadline_ms > loop_now_ms(c->home->loop) + most_ms)
        session_core_set_timer(c, most_ms);
}

/* Why it ends. */

/* Without memory there is none. */
void session_core_set_reason(struct session *c, const char *reason)
{
    if (c->reason == NULL)
        c->reason = text_dup(reason, strnlen(reason, SESSION_REASON_MAX));
}

const char *session_core_reason(const struct session *c)
{
    return c->reason == NULL ? "" : c->reason;
}

/* Ends. */

void session_core_disconnect(struct session *c, const char *reason)
{
    if (c->is_ending)
        return;
    c->is_ending = true;
    session_core_set_reason(c, reason);
    if (session_core_state(c) == ST_AT_STARTUP)
        session_core_wake(c); /* never opened: its next turn frees it */
    else
        automat_feed(&c->automat, EV_DISCONNECT, NULL);
}

void session_core_lose(struct session *c, const char *reason)
{
    session_core_set_reason(c, reason);
    automat_feed(&c->automat, EV_CONNECTION_LOST, NULL);
}

void session_core_drop(struct session *c, const char *reason)
{
    c->is_ending = true;
    if (session_core_state(c) == ST_AT_STARTUP) {
        session_core_set_reason(c, reason);
        session_core_wake(c);
    } else {
        session_core_lose(c, reason);
    }
}
