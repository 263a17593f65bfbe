/* What a session may not do: whom it may be with, how a handshake is refused, which files are
 * taken, and what breaking the protocol costs the address that it comes from. */
#include "tcp/session/limits.h"

#include "base/metrics.h"
#include "base/text.h"
#include "peers/access.h"
#include "peers/source_table.h"
#include "tcp/session/core.h"

#include <stdio.h>
#include <string.h>

/* Why the peer's identity is not let in, and what is counted then; text NULL: it is. */
struct refusal {
    const char *text;
    enum metric metric;
};

static struct refusal judge_identity(const struct session *c, const void *idurl, size_t length)
{
    const struct settings *s = &c->home->settings;
    char escaped[3 * SETTINGS_IDURL_MAX + 1];

    if (length > s->sessions.idurl_limit_bytes)
        return (struct refusal){"the identity is longer than [sessions] idurl-limit-bytes",
                                METRIC_IDURLS_TOO_LONG};
    text_escape(escaped, sizeof escaped, idurl, length, true);
    return (struct refusal){
        peers_access_idurl_refusal(s, session_limits_is_nobody(idurl, length) ? NULL : escaped),
        METRIC_REFUSED_ACCESS};
}

bool session_limits_is_nobody(const void *idurl, size_t length)
{
    return length == 0 || (length == 4 && memcmp(idurl, "None", 4) == 0);
}

bool session_limits_is_welcome(const struct session *c, const void *idurl, size_t length)
{
    return judge_identity(c, idurl, length).text == NULL;
}

/* An identity in the frame that should open the session, if that is what it was refused for. */
static struct refusal refusal_of(const struct session *c, const struct frame_piece *piece)
{
    struct hello hello;

    if (piece->kind != FRAME_PIECE_CONTROL)
        return (struct refusal){0};
    if (c->is_outgoing && piece->command == FRAME_WAZAP)
        return judge_identity(c, piece->bytes, piece->length);
    if (!c->is_outgoing && piece->command == FRAME_HELLO &&
        hello_parse(&hello, piece->bytes, piece->length) == ERR_OK)
        return judge_identity(c, hello.idurl, hello.idurl_length);
    return (struct refusal){0};
}

/* What is wrong with a piece that did not open the session. */
static const char *why_broken(const struct session *c, const struct frame_piece *piece)
{
    if (piece->kind == FRAME_PIECE_BAD)
        return piece->reason;
    if (c->is_outgoing)
        return "the first frame is no wazap";
    if (piece->kind == FRAME_PIECE_CONTROL && piece->command == FRAME_HELLO)
        return "the hello is not valid";
    return "the first frame is no hello";
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
    session_limits_blame(c);
}

void session_limits_refuse(struct session *c, const struct frame_piece *piece, char *reason,
                           size_t room)
{
    struct refusal refusal = refusal_of(c, piece);

    if (refusal.text != NULL) {
        metrics_add(refusal.metric, 1);
        snprintf(reason, room, "%s", refusal.text);
        return;
    }
    count_too_long(piece);
    session_limits_blame(c);
    snprintf(reason, room, "%s%s", why_broken(c, piece),
             c->is_outgoing ? ": is that a dustwire node?" : "");
}

void session_limits_late(struct session *c)
{
    metrics_add(METRIC_HANDSHAKES_LATE, 1);
    session_limits_blame(c);
}

/* Mail comes before the sockets: the hello may have arrived without having rung yet. */
void session_limits_evict(struct session *c)
{
    if (c->was_open)
        return;
    c->is_giving_way = true;
    session_link_recheck(&c->link);
    session_core_wake(c);
}

bool session_limits_is_unread(const struct session *c)
{
    return c->is_short_in && session_link_has_pending(&c->link);
}

void session_limits_give_way(struct session *c)
{
    if (c->was_open || session_core_state(c) == ST_CLOSED) {
        c->is_giving_way = false;
    } else if (!session_limits_is_unread(c)) {
        metrics_add(METRIC_HANDSHAKES_GIVEN_UP, 1);
        session_core_drop(c, "[sessions] half-open-limit is reached: gave way to a newcomer");
    }
}

void session_limits_blame(struct session *c)
{
    struct peers_source_limits limits;
    uint64_t ms;
    char text[80];

    if (c->is_outgoing)
        return; /* we chose to call it */
    limits = peers_source_table_limits_of(&c->home->settings, &c->peer);
    ms = tcp_directory_blame(c->home->directory, &c->peer, &limits, loop_now_ms(c->home->loop));
    if (ms == 0)
        return;
    metrics_add(METRIC_PENALTIES, 1);
    snprintf(text, sizeof text, "penalty: the address is refused for %llu s",
             (unsigned long long)(ms / 1000));
    session_core_log(LOG_LEVEL_WARNING, c, text);
}

const char *session_limits_of_access(const struct session *c)
{
    const struct settings *s = &c->home->settings;
    const char *why = peers_access_refusal(s, &c->peer);

    if (why == NULL && session_core_state(c) == ST_CONNECTED)
        why = peers_access_idurl_refusal(s, c->idurl);
    if (why != NULL)
        metrics_add(METRIC_REFUSED_ACCESS, 1);
    return why;
}

/* Files. */

/* What the files that come in now were announced with. */
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

const char *session_limits_why_not(const struct session *c, const struct frame_piece *piece)
{
    const struct settings *s = &c->home->settings;

    if (piece->size < 0)
        return "negative size";
    if (c->is_draining)
        return "disconnecting";
    if (!s->tcp_transport.is_receiving_enabled)
        return "receiving is switched off here";
    if ((uint64_t)piece->size > (uint64_t)s->inbox.largest_file_mib << 20)
        return over_limit(METRIC_FILES_TOO_LARGE, "the file is too large for this node");
    if (announced_bytes(c) + (uint64_t)piece->size > (uint64_t)s->sessions.files_in_mib << 20)
        return over_limit(METRIC_FILES_OVER_BYTES, "too many bytes at once: send it later");
    return NULL;
}

/* A session reserves several files at a time from the rate of its address, so that the directory's
 * lock is not taken for each. */
enum { LEASES_PER_S = 50, LEASE_MOST = 1000 };

static unsigned take_files(const struct session *c, unsigned wanted)
{
    const struct settings *s = &c->home->settings;
    struct peers_source_limits limits;

    if (s->access.files_per_s == 0)
        return wanted;
    limits = peers_source_table_limits_of(s, &c->peer);
    if (limits.is_exempt)
        return wanted;
    return tcp_directory_take_files(c->home->directory, &c->peer, &limits, wanted,
                                    loop_now_ms(c->home->loop));
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
        c->files_left = (int)take_files(c, lease_of(c->home->settings.access.files_per_s));
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
    size_t most = c->home->settings.sessions.reason_limit_bytes;
    const uint8_t *text = piece->bytes;
    size_t length = piece->length;

    while (length > 0 && *text == ' ') {
        text++;
        length--;
    }
    if (length > most) {
        metrics_add(METRIC_REASONS_CUT, 1);
        length = most;
    }
    if (length == 0)
        snprintf(to, GATEWAY_TRANSFER_ERROR_SIZE, "aborted by the peer");
    else
        text_escape(to, GATEWAY_TRANSFER_ERROR_SIZE, text, length, false);
}
