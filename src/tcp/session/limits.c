/* Limits of a session: allowed identities, rejected handshakes, accepted files, and the violations
 * recorded for the peer's address. */
#include "tcp/session/limits.h"

#include "base/metrics.h"
#include "base/text.h"
#include "peers/access.h"
#include "peers/source_table.h"
#include "tcp/session/core.h"

#include <stdio.h>
#include <string.h>

/* Why the peer's identity is refused, and the metric to count; text NULL: allowed. */
struct refusal {
    const char *text;
    enum metric metric;
};

static struct refusal check_identity(const struct session *c, const void *idurl, size_t length)
{
    const struct settings *s = &c->context->settings;
    char escaped[3 * SETTINGS_IDURL_MAX + 1];

    if (length > s->sessions.idurl_limit_bytes)
        return (struct refusal){"the identity is longer than [sessions] idurl-limit-bytes",
                                METRIC_IDURLS_TOO_LONG};
    text_escape(escaped, sizeof escaped, idurl, length, true);
    return (struct refusal){
        peers_access_idurl_refusal(s, session_limits_is_anonymous(idurl, length) ? NULL : escaped),
        METRIC_REFUSED_ACCESS};
}

bool session_limits_is_anonymous(const void *idurl, size_t length)
{
    return length == 0 || (length == 4 && memcmp(idurl, "None", 4) == 0);
}

bool session_limits_is_idurl_allowed(const struct session *c, const void *idurl, size_t length)
{
    return check_identity(c, idurl, length).text == NULL;
}

/* Whether the first frame was rejected for the identity in it. */
static struct refusal refusal_of(const struct session *c, const struct frame_piece *piece)
{
    struct hello hello;

    if (piece->kind != FRAME_PIECE_CONTROL)
        return (struct refusal){0};
    if (c->is_outgoing && piece->command == FRAME_WAZAP)
        return check_identity(c, piece->bytes, piece->length);
    if (!c->is_outgoing && piece->command == FRAME_HELLO &&
        hello_parse(&hello, piece->bytes, piece->length) == ERR_OK)
        return check_identity(c, hello.idurl, hello.idurl_length);
    return (struct refusal){0};
}

/* Why a first frame is not a valid hello or wazap. */
static const char *handshake_error(const struct session *c, const struct frame_piece *piece)
{
    if (piece->kind == FRAME_PIECE_BAD)
        return piece->reason;
    if (c->is_outgoing)
        return "the first frame is not a wazap";
    if (piece->kind == FRAME_PIECE_CONTROL && piece->command == FRAME_HELLO)
        return "invalid hello";
    return "the first frame is not a hello";
}

static void count_too_long(const struct frame_piece *piece)
{
    if (piece->kind == FRAME_PIECE_BAD && piece->reason == frame_too_long)
        metrics_add(METRIC_FRAMES_TOO_LONG, 1);
}

void session_limits_bad_frame(struct session *c, const struct frame_piece *piece)
{
    metrics_add(METRIC_BAD_FRAMES, 1);
    count_too_long(piece);
    session_limits_record_violation(c);
}

void session_limits_reject(struct session *c, const struct frame_piece *piece, char *reason,
                           size_t room)
{
    struct refusal refusal = refusal_of(c, piece);

    if (refusal.text != NULL) {
        metrics_add(refusal.metric, 1);
        snprintf(reason, room, "%s", refusal.text);
        return;
    }
    count_too_long(piece);
    session_limits_record_violation(c);
    snprintf(reason, room, "%s%s", handshake_error(c, piece),
             c->is_outgoing ? ": is that a dustwire node?" : "");
}

void session_limits_handshake_timed_out(struct session *c)
{
    metrics_add(METRIC_HANDSHAKES_LATE, 1);
    session_limits_record_violation(c);
}

/* Messages are delivered before socket events: the hello may have arrived, but not been reported by
 * the poller yet. */
void session_limits_evict(struct session *c)
{
    if (c->was_open)
        return;
    c->is_evicting = true;
    session_link_recheck(&c->link);
    session_core_wake(c);
}

bool session_limits_has_unread_input(const struct session *c)
{
    return c->is_limited_in && session_link_has_pending(&c->link);
}

void session_limits_finish_eviction(struct session *c)
{
    if (c->was_open || session_core_state(c) == ST_CLOSED) {
        c->is_evicting = false;
    } else if (!session_limits_has_unread_input(c)) {
        metrics_add(METRIC_HANDSHAKES_GIVEN_UP, 1);
        session_core_drop(c, "evicted: [sessions] half-open-limit reached");
    }
}

void session_limits_record_violation(struct session *c)
{
    struct peers_source_limits limits;
    uint64_t ms;
    char text[80];

    if (c->is_outgoing)
        return; /* we dialled it */
    limits = peers_source_table_limits_of(&c->context->settings, &c->peer);
    ms = tcp_directory_record_violation(c->context->directory, &c->peer, &limits,
                                        loop_now_ms(c->context->loop));
    if (ms == 0)
        return;
    metrics_add(METRIC_PENALTIES, 1);
    snprintf(text, sizeof text, "penalty: the address is refused for %llu s",
             (unsigned long long)(ms / 1000));
    session_core_log(LOG_LEVEL_WARNING, c, text);
}

const char *session_limits_access_refusal(const struct session *c)
{
    const struct settings *s = &c->context->settings;
    const char *why = peers_access_refusal(s, &c->peer);

    if (why == NULL && session_core_state(c) == ST_CONNECTED)
        why = peers_access_idurl_refusal(s, c->idurl);
    if (why != NULL)
        metrics_add(METRIC_REFUSED_ACCESS, 1);
    return why;
}

/* Files. */

/* The announced sizes of the files being received. */
static uint64_t announced_bytes(const struct session *c)
{
    const struct transfer_incoming *in;
    uint64_t bytes = 0;

    TAILQ_FOREACH (in, &c->incoming.head, link)
        bytes += in->size_bytes;
    return bytes;
}

static const char *over_limit(enum metric metric, const char *reason)
{
    metrics_add(metric, 1);
    return reason;
}

const char *session_limits_file_refusal(const struct session *c, const struct frame_piece *piece)
{
    const struct settings *s = &c->context->settings;

    if (piece->size < 0)
        return "negative size";
    if (c->is_draining)
        return "disconnecting";
    if (!s->tcp_transport.is_receiving_enabled)
        return "receiving is disabled on this node";
    if ((uint64_t)piece->size > (uint64_t)s->inbox.largest_file_mib << 20)
        return over_limit(METRIC_FILES_TOO_LARGE, "the file is too large for this node");
    if (announced_bytes(c) + (uint64_t)piece->size > (uint64_t)s->sessions.files_in_mib << 20)
        return over_limit(METRIC_FILES_OVER_BYTES, "too many bytes at once; send it later");
    return NULL;
}

/* A session takes several files at a time from the rate of its address, to not lock the directory
 * for each file. */
enum { LEASES_PER_S = 50, LEASE_MOST = 1000 };

static unsigned take_files(const struct session *c, unsigned wanted)
{
    const struct settings *s = &c->context->settings;
    struct peers_source_limits limits;

    if (s->access.files_per_s == 0)
        return wanted;
    limits = peers_source_table_limits_of(s, &c->peer);
    if (limits.is_exempt)
        return wanted;
    return tcp_directory_take_files(c->context->directory, &c->peer, &limits, wanted,
                                    loop_now_ms(c->context->loop));
}

static unsigned lease_of(unsigned per_s)
{
    unsigned lease = per_s / LEASES_PER_S;

    if (per_s == 0 || lease > LEASE_MOST)
        return LEASE_MOST;
    return lease > 0 ? lease : 1;
}

void session_limits_count_file(struct session *c)
{
    if (c->files_left == 0)
        c->files_left = (int)take_files(c, lease_of(c->context->settings.access.files_per_s));
    c->files_left--;
}

bool session_limits_may_read_files(struct session *c)
{
    if (c->files_left < 0)
        c->files_left += (int)take_files(c, (unsigned)-c->files_left);
    return c->files_left >= 0;
}

void session_limits_abort_reason(const struct session *c, char to[GATEWAY_TRANSFER_ERROR_SIZE],
                                 const struct frame_piece *piece)
{
    size_t max = c->context->settings.sessions.reason_limit_bytes;
    const uint8_t *text = piece->bytes;
    size_t length = piece->length;

    while (length > 0 && *text == ' ') {
        text++;
        length--;
    }
    if (length > max) {
        metrics_add(METRIC_REASONS_CUT, 1);
        length = max;
    }
    if (length == 0)
        snprintf(to, GATEWAY_TRANSFER_ERROR_SIZE, "aborted by the peer");
    else
        text_escape(to, GATEWAY_TRANSFER_ERROR_SIZE, text, length, false);
}
