/* What all parts of a session use: reason of its end, timer, and the events that end it. */
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
    return transfer_is_backpressured(&c->context->transfer);
}

/* Bytes given to the kernel less those in its send queue (unsent or unacknowledged): the peer's
 * kernel has them, whether its program has read them or not. */
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
    if (!c->is_scheduled)
        c->context->callbacks->run_again(c->context->callbacks_ctx, c);
}

void session_core_queued(struct session *c, enum err e)
{
    if (e != ERR_OK)
        session_core_disconnect(c, err_text(e));
    session_core_wake(c);
}

/* Timer. */

void session_core_set_timer(struct session *c, uint64_t delay_ms)
{
    c->is_due = false;
    loop_set_timer(c->context->loop, &c->timer, delay_ms);
}

void session_core_check_soon(struct session *c, uint64_t max_ms)
{
    if (c->is_due)
        return;
    if (!c->timer.is_set || c->timer.deadline_ms > loop_now_ms(c->context->loop) + max_ms)
        session_core_set_timer(c, max_ms);
}

/* Reason of its end. */

/* Out of memory: no reason is kept. */
void session_core_set_reason(struct session *c, const char *reason)
{
    if (c->reason == NULL)
        c->reason = text_dup(reason, strnlen(reason, SESSION_REASON_MAX));
}

const char *session_core_reason(const struct session *c)
{
    return c->reason == NULL ? "" : c->reason;
}

/* End. */

void session_core_disconnect(struct session *c, const char *reason)
{
    if (c->is_ending)
        return;
    c->is_ending = true;
    session_core_set_reason(c, reason);
    if (session_core_state(c) == ST_AT_STARTUP)
        session_core_wake(c); /* its next turn releases it */
    else
        automat_feed(&c->automat, EV_DISCONNECT, NULL);
}

void session_core_connection_lost(struct session *c, const char *reason)
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
        session_core_connection_lost(c, reason);
    }
}
