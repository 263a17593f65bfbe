/* Timeouts of a session by its state: connect and handshake, the checks while CONNECTED, linger. */
#include "tcp/session/time.h"

#include "base/metrics.h"
#include "tcp/session/core.h"
#include "tcp/session/files.h"
#include "tcp/session/limits.h"

#include <stdio.h>

/* Handled in the session's turn, after reading: bytes that arrived before the timeout may be unread
 * (the process was suspended), or not reported (epoll_wait(2) returns a limited number of events).
 */
void session_time_fired(struct timer *timer, void *ctx)
{
    struct session *c = ctx;

    (void)timer;
    c->is_due = true;
    if (session_core_state(c) != ST_AT_STARTUP && !session_core_is_backpressured(c))
        session_link_recheck(&c->link);
    session_core_wake(c);
}

/* Before the handshake is done. */

static void end_late_handshake(struct session *c)
{
    char reason[80];

    snprintf(reason, sizeof reason, "no hello within %u s%s",
             c->context->settings.sessions.handshake_timeout_s,
             c->is_outgoing ? ": is that a dustwire node?" : "");
    session_core_set_reason(c, reason);
    session_limits_handshake_timed_out(c);
    automat_feed(&c->automat, EV_TIMER_10SEC, NULL);
}

/* Peers that acknowledge nothing. */

/* With everything acknowledged, the next check follows the next send. */
static bool is_silent(struct session *c)
{
    uint64_t silent_ms;

    if (!c->is_ack_pending)
        return false;
    silent_ms = session_silence_of(&c->silence, c->link.fd, loop_now_ms(c->context->loop));
    if (c->silence.since_ms == 0 && session_silence_unacknowledged(c->link.fd) == 0)
        c->is_ack_pending = false;
    return silent_ms >= c->context->settings.sessions.tcp_user_timeout_s * 1000ull;
}

static void close_silent(struct session *c)
{
    char reason[64];

    metrics_add(METRIC_PEERS_SILENT, 1);
    snprintf(reason, sizeof reason, "timed out: nothing acknowledged for %u s",
             c->context->settings.sessions.tcp_user_timeout_s);
    c->is_peer_gone = true;
    session_core_connection_lost(c, reason);
}

/* CONNECTED. */

static bool is_idle(const struct session *c)
{
    uint64_t limit_ms = c->context->settings.sessions.idle_limit_s * 1000ull;

    return limit_ms > 0 && !c->is_ending && !session_files_is_busy(c) && c->waiting.count == 0 &&
           !session_limits_has_unread_input(c) &&
           loop_now_ms(c->context->loop) - c->received_ms >= limit_ms;
}

/* What remains of `limit_ms` since `since_ms`, at least 1; UINT64_MAX without a limit. */
static uint64_t left_of(uint64_t limit_ms, uint64_t since_ms, uint64_t now_ms)
{
    if (limit_ms == 0)
        return UINT64_MAX;
    return now_ms - since_ms < limit_ms ? limit_ms - (now_ms - since_ms) : 1;
}

/* Time until the next check of a session without files; 0: none needed. */
static uint64_t quiet_ms(const struct session *c)
{
    const struct settings *s = &c->context->settings;
    uint64_t now_ms = loop_now_ms(c->context->loop);
    uint64_t keep_alive = left_of(s->sessions.keep_alive_s * 1000ull, c->activity_ms, now_ms);
    uint64_t idle = left_of(s->sessions.idle_limit_s * 1000ull, c->received_ms, now_ms);
    uint64_t first = keep_alive < idle ? keep_alive : idle;

    return first == UINT64_MAX ? 0 : first;
}

static void check(struct session *c)
{
    uint64_t keep_alive_ms = c->context->settings.sessions.keep_alive_s * 1000ull, next_ms;

    if (is_silent(c)) {
        close_silent(c);
        return;
    }
    session_files_check(c);
    if (is_idle(c)) {
        metrics_add(METRIC_SESSIONS_IDLE, 1);
        session_core_disconnect(c, "idle");
        return;
    }
    if (keep_alive_ms > 0 && loop_now_ms(c->context->loop) - c->activity_ms >= keep_alive_ms)
        automat_feed(&c->automat, EV_SEND_KEEP_ALIVE, NULL);
    if (session_core_state(c) != ST_CONNECTED)
        return;
    next_ms = session_files_is_busy(c) || c->is_ack_pending ? SESSION_CHECK_MS : quiet_ms(c);
    if (next_ms > 0)
        session_core_set_timer(c, next_ms);
}

/* DISCONNECT. */

/* How long the peer may take to read what is unacknowledged. Only the linger timeout while the
 * transport stops, and for a peer without a handshake, which awaits no files. */
static uint64_t drain_limit_ms(const struct session *c)
{
    const struct settings *s = &c->context->settings;

    return c->was_open && c->context->is_serving ? s->sessions.unread_limit_s * 1000ull
                                                 : s->sessions.linger_ms;
}

static bool is_drain_too_slow(const struct session *c)
{
    uint64_t now_ms = loop_now_ms(c->context->loop);

    return now_ms - c->linger.decided_ms >= drain_limit_ms(c) ||
           now_ms - c->writer.progress_ms >= c->context->settings.sessions.unread_limit_s * 1000ull;
}

/* Everything sent has been acknowledged, including our end of file. */
static bool is_all_acknowledged(const struct session *c)
{
    return c->is_shut && session_silence_unacknowledged(c->link.fd) == 0;
}

/* The linger timeout for the peer's close starts with the ACK of our last byte. No event reports
 * that ACK, so the timer polls for it. */
static void linger(struct session *c)
{
    uint64_t limit_ms = c->context->settings.sessions.linger_ms;

    if (c->linger.is_running) {
        session_core_connection_lost(c, "the peer did not close");
    } else if (is_all_acknowledged(c)) {
        uint64_t acked_ms = session_silence_last_ack_ms(c->link.fd);

        c->linger.is_running = true;
        session_core_set_timer(c, acked_ms < limit_ms ? limit_ms - acked_ms : 0);
    } else if (is_silent(c)) {
        close_silent(c);
    } else if (is_drain_too_slow(c)) {
        session_core_connection_lost(c, "the peer does not read");
    } else {
        session_core_set_timer(c, limit_ms < SESSION_CHECK_MS ? limit_ms : SESSION_CHECK_MS);
    }
}

void session_time_check(struct session *c)
{
    if (!c->is_due)
        return;
    c->is_due = false;
    switch (session_core_state(c)) {
    case ST_AT_STARTUP:
        session_core_disconnect(c, err_text(ERR_TIMEOUT));
        break;
    case ST_SERVER:
    case ST_CLIENT:
        c->is_due = session_limits_has_unread_input(c);
        if (!c->is_due)
            end_late_handshake(c);
        break;
    case ST_CONNECTED:
        check(c);
        break;
    default:
        linger(c);
        break;
    }
}
