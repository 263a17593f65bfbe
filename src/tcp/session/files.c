#include "tcp/session/files.h"

#include "base/contract.h"
#include "base/metrics.h"
#include "base/text.h"
#include "tcp/session/aborted.h"
#include "tcp/session/core.h"
#include "tcp/session/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STARTS_PER_TURN = 64, /* files opened for sending per turn */
};

static struct transfer_peer peer_of(const struct session *c)
{
    return (struct transfer_peer){c->id, c->peer, c->idurl == NULL ? "" : c->idurl};
}

static void add_abort(struct session *c, int32_t file_id, const char *reason)
{
    char text[GATEWAY_TRANSFER_ERROR_SIZE + 1];

    snprintf(text, sizeof text, " %.*s", GATEWAY_TRANSFER_ERROR_SIZE - 1, reason);
    session_core_queued(c, frame_add_abort(&c->writer.control, file_id, text));
}

/* Refuses an incoming file: an abort is sent, and data that still arrives for it is discarded. */
static void refuse(struct session *c, int32_t file_id, const char *reason)
{
    add_abort(c, file_id, reason);
    session_aborted_add(c, file_id);
    session_aborted_count(c);
}

/* Callbacks of the transfers. */

static void on_committed(void *session, int32_t file_id)
{
    struct session *c = session;

    session_core_queued(c, frame_add_ok(&c->writer.control, file_id));
}

static void on_refused(void *session, int32_t file_id, const char *reason)
{
    refuse(session, file_id, reason);
}

static void on_gateway_lost(void *session, int32_t file_id, const char *reason)
{
    struct session *c = session;

    add_abort(c, file_id, reason);
    session_core_disconnect(c, reason);
}

static void on_file_changed(void *session)
{
    session_core_wake(session);
}

static uint64_t on_acknowledged(void *session)
{
    return session_core_acknowledged(session);
}

static const struct transfer_callbacks callbacks = {
    .committed = on_committed,
    .refused = on_refused,
    .gateway_lost = on_gateway_lost,
    .sendable = on_file_changed,
    .unsendable = on_file_changed,
    .acknowledged = on_acknowledged,
};

/* Incoming files. */

static struct transfer_incoming *find_incoming(struct session *c, int32_t file_id)
{
    struct transfer_incoming *in;

    TAILQ_FOREACH (in, &c->incoming.head, link)
        if (in->file_id == file_id && transfer_incoming_is_receiving(in))
            return in;
    return NULL;
}

static void fail_incoming(struct session *c, struct transfer_incoming *in, const char *reason)
{
    int32_t file_id = in->file_id;

    transfer_incoming_fail(in, reason);
    refuse(c, file_id, reason);
}

static struct transfer_incoming *begin_incoming(struct session *c, const struct frame_piece *piece)
{
    const char *reason = session_limits_file_refusal(c, piece);
    struct transfer_peer peer = peer_of(c);

    session_limits_count_file(c);
    if (reason != NULL) {
        char host[ADDRESS_TEXT_SIZE];

        log_session(LOG_LEVEL_INFO, c->id, address_text(host, &c->peer),
                    "file refused: id=%" PRId32 " size=%" PRId32 " reason=\"%s\"", piece->file_id,
                    piece->size, reason);
        metrics_add(METRIC_FILES_RECEIVE_FAILED, 1);
        refuse(c, piece->file_id, reason);
        return NULL;
    }
    if (c->incoming.count >= c->context->settings.sessions.files_in_limit) {
        metrics_add(METRIC_FILES_OVER_COUNT, 1);
        session_limits_record_violation(c);
        session_core_disconnect(c, "too many incoming files at once");
        return NULL;
    }
    if (transfer_incoming_new(&c->context->transfer, &peer, &callbacks, c, &c->incoming,
                              piece->file_id, (uint32_t)piece->size) != ERR_OK) {
        session_core_disconnect(c, err_text(ERR_NO_MEMORY));
        return NULL;
    }
    return find_incoming(c, piece->file_id);
}

/* The first piece of a frame decides whether it is accepted: its sizes are checked before a byte is
 * written. */
static struct transfer_incoming *open_frame(struct session *c, const struct frame_piece *piece)
{
    struct transfer_incoming *in;
    uint64_t frame_bytes = piece->length + frame_decoder_data_left(&c->decoder);

    c->current_file_id = piece->file_id;
    if (session_aborted_has(c, piece->file_id))
        return NULL;
    in = find_incoming(c, piece->file_id);
    if (in == NULL)
        in = begin_incoming(c, piece);
    if (in == NULL)
        return NULL;
    if (piece->size != (int64_t)in->size_bytes)
        fail_incoming(c, in, "another size in a later frame");
    else if (frame_bytes > in->size_bytes - in->file.written_bytes)
        fail_incoming(c, in, "more bytes than announced");
    else
        return in;
    return NULL;
}

static void receive_data(struct session *c, const struct frame_piece *piece)
{
    struct transfer_incoming *in =
        piece->is_first ? open_frame(c, piece) : find_incoming(c, c->current_file_id);
    char reason[GATEWAY_TRANSFER_ERROR_SIZE];
    enum err e;

    if (in == NULL)
        return;
    e = transfer_incoming_write(in, piece->bytes, piece->length);
    if (e == ERR_OK)
        return;
    snprintf(reason, sizeof reason, "cannot write the file: %s", err_text(e));
    fail_incoming(c, in, reason);
}

/* Outgoing files. */

static struct transfer_outgoing *find_outgoing(struct session *c, int32_t file_id)
{
    struct transfer_outgoing *out;

    TAILQ_FOREACH (out, &c->outgoing.head, link)
        if (out->file_id == file_id && out->is_begun)
            return out;
    return NULL;
}

/* The peer gets an abort if a frame of the file was sent. */
static void fail_outgoing(struct session *c, struct transfer_outgoing *out, const char *reason)
{
    int32_t file_id = out->file_id;
    bool is_begun = out->is_begun;

    transfer_outgoing_fail(out, reason);
    if (is_begun)
        add_abort(c, file_id, reason);
    session_core_wake(c);
}

void session_files_read_failed(void *session, struct transfer_outgoing *out, enum err e)
{
    struct session *c = session;
    char reason[GATEWAY_TRANSFER_ERROR_SIZE], name[SETTINGS_TEXT_SIZE];

    outbox_read_problem(&out->file, e, reason, sizeof reason);
    text_escape(name, sizeof name, out->transfer.filename, strlen(out->transfer.filename), false);
    log_session(LOG_LEVEL_WARNING, c->id, out->transfer.host, "cannot read %s: %s", name, reason);
    fail_outgoing(c, out, reason);
}

static void receive_ok(struct session *c, int32_t file_id)
{
    struct transfer_outgoing *out = find_outgoing(c, file_id);

    if (out == NULL)
        return;
    if (out->phase == OUTGOING_OK_AWAITED && c->writer.sent_bytes >= out->end_at)
        transfer_outgoing_finish(out);
    else
        fail_outgoing(c, out, "ok before the end");
    session_core_wake(c);
}

static void receive_abort(struct session *c, const struct frame_piece *piece)
{
    struct transfer_incoming *in = find_incoming(c, piece->file_id);
    struct transfer_outgoing *out;
    char reason[GATEWAY_TRANSFER_ERROR_SIZE];

    session_limits_abort_reason(c, reason, piece);
    if (in != NULL) {
        transfer_incoming_fail(in, reason);
        session_aborted_count(c);
        session_core_wake(c);
    } else if (session_aborted_has(c, piece->file_id)) {
        session_aborted_remove(c, piece->file_id);
    } else if ((out = find_outgoing(c, piece->file_id)) != NULL) {
        fail_outgoing(c, out, reason);
    }
}

void session_files_receive(struct session *c, const struct frame_piece *piece)
{
    switch (piece->kind) {
    case FRAME_PIECE_BAD:
        session_limits_bad_frame(c, piece);
        session_core_disconnect(c, piece->reason);
        return;
    case FRAME_PIECE_DATA:
        receive_data(c, piece);
        return;
    case FRAME_PIECE_CONTROL:
        if (piece->command == FRAME_OK)
            receive_ok(c, piece->file_id);
        else if (piece->command == FRAME_ABORT)
            receive_abort(c, piece);
        /* A second hello is ignored; a wazap is a keep-alive without an answer. */
        return;
    case FRAME_PIECE_NONE:
        return;
    }
}

/* Starting sends. */

static bool is_file_id_used(const struct session *c, int32_t file_id)
{
    const struct transfer_outgoing *out;

    TAILQ_FOREACH (out, &c->outgoing.head, link)
        if (out->file_id == file_id)
            return true;
    return false;
}

static int32_t take_file_id(struct session *c)
{
    int32_t file_id;

    do {
        file_id = c->next_file_id;
        if (file_id > INT32_MAX - 2)
            c->next_file_id = SESSION_FILE_ID_FIRST + (file_id & 1);
        else
            c->next_file_id = file_id + 2;
    } while (is_file_id_used(c, file_id));
    return file_id;
}

void session_files_start_pending(struct session *c)
{
    struct transfer_peer peer = peer_of(c);
    struct send_request *send;
    unsigned budget = STARTS_PER_TURN;

    if (c->outgoing.count == 0 && !session_writer_has_bytes(&c->writer))
        c->writer.progress_ms = loop_now_ms(c->context->loop);
    while (c->outgoing.count < c->context->settings.sessions.files_out_limit && budget > 0 &&
           (send = session_send_queue_take(&c->waiting)) != NULL) {
        transfer_outgoing_new(&c->context->transfer, &peer, &callbacks, c, &c->outgoing,
                              take_file_id(c), send);
        budget--;
    }
    if (budget == 0)
        session_core_wake(c);
}

bool session_files_is_busy(const struct session *c)
{
    return c->incoming.count > 0 || c->outgoing.count > 0 || session_aborted_is_any(c) ||
           session_writer_has_bytes(&c->writer);
}

void session_files_turn(struct session *c)
{
    session_files_start_pending(c);
    if (c->incoming.count > 0 || c->outgoing.count > 0 || c->waiting.count > 0)
        return;
    if (c->is_draining)
        session_core_disconnect(c, "disconnecting");
    else if (c->is_single)
        session_core_disconnect(c, "single file finished");
}

/* End of the session. */

void session_files_stop(struct session *c, const char *reason, bool has_aborts)
{
    struct transfer_incoming *in, *next_in;
    struct transfer_outgoing *out;

    for (in = TAILQ_FIRST(&c->incoming.head); in != NULL; in = next_in) {
        int32_t file_id = in->file_id;

        next_in = TAILQ_NEXT(in, link);
        if (!transfer_incoming_is_receiving(in)) {
            transfer_incoming_detach(in); /* the committer has it; only the ok is not sent */
            continue;
        }
        transfer_incoming_fail(in, reason);
        if (has_aborts)
            add_abort(c, file_id, reason);
    }
    while ((out = TAILQ_FIRST(&c->outgoing.head)) != NULL) {
        if (has_aborts)
            fail_outgoing(c, out, reason);
        else
            transfer_outgoing_fail(out, reason);
    }
}

void session_files_fail_waiting(struct session *c, const char *reason, bool is_rerouted)
{
    struct send_request *send;
    char host[ADDRESS_TEXT_SIZE];

    address_text(host, &c->peer);
    while ((send = session_send_queue_take(&c->waiting)) != NULL) {
        if (is_rerouted)
            c->context->callbacks->route_next(c->context->callbacks_ctx, send, host, reason);
        else
            transfer_outgoing_fail_send(c->context->transfer.gateway, c->context->transfer.events,
                                        send, host, reason);
    }
}

/* Timeouts. */

/* Input that our rate limit leaves unread does not count as a stall. */
static void check_incoming(struct session *c, struct transfer_incoming *in)
{
    if (!transfer_incoming_is_stalled(in, !session_limits_has_unread_input(c)))
        return;
    metrics_add(METRIC_FILES_STALLED, 1);
    fail_incoming(c, in, "stalled: below [sessions] stall-bytes-per-s");
}

static void check_outgoing(struct session *c)
{
    uint64_t now_ms = loop_now_ms(c->context->loop);
    uint64_t unread_ms = c->context->settings.sessions.unread_limit_s * 1000ull;
    struct transfer_outgoing *out, *next;
    bool is_sending = session_writer_has_bytes(&c->writer);

    for (out = TAILQ_FIRST(&c->outgoing.head); out != NULL && !c->is_ending; out = next) {
        next = TAILQ_NEXT(out, link);
        is_sending = is_sending || out->phase == OUTGOING_SENDING;
        if (transfer_outgoing_is_timed_out(out)) {
            metrics_add(METRIC_OKS_LATE, 1);
            fail_outgoing(c, out, "no ok from the peer within [sessions] ok-timeout-s");
        }
    }
    /* If the socket has room, the writer just has not run since. */
    if (is_sending && !session_link_is_writable(&c->link) &&
        now_ms - c->writer.progress_ms >= unread_ms) {
        metrics_add(METRIC_PEERS_NOT_READING, 1);
        session_core_disconnect(c, "the peer does not read");
    }
}

static void restart_timeouts(struct session *c)
{
    struct transfer_incoming *in;
    struct transfer_outgoing *out;

    TAILQ_FOREACH (in, &c->incoming.head, link)
        transfer_incoming_restart_timeout(in);
    TAILQ_FOREACH (out, &c->outgoing.head, link)
        transfer_outgoing_restart_timeout(out);
}

void session_files_check(struct session *c)
{
    struct transfer_incoming *in, *next;

    if (session_link_has_pending(&c->link) && session_core_is_backpressured(c))
        restart_timeouts(c);
    for (in = TAILQ_FIRST(&c->incoming.head); in != NULL && !c->is_ending; in = next) {
        next = TAILQ_NEXT(in, link);
        if (transfer_incoming_is_receiving(in))
            check_incoming(c, in);
    }
    check_outgoing(c);
    /* A peer that confirms aborts has had time to do so. For others (BitDust) only the end of the
     * session shows that their file failed. */
    if (session_aborted_is_old(c) && c->incoming.count == 0 && c->outgoing.count == 0 &&
        c->waiting.count == 0)
        session_core_disconnect(c, "incoming file aborted");
}

/* Requests. */

void session_files_send(struct session *c, struct send_request *send)
{
    char host[ADDRESS_TEXT_SIZE];
    enum err e = ERR_OK;

    if (!c->is_draining && c->waiting.count < c->context->settings.sessions.queue_limit)
        e = session_send_queue_put(&c->waiting, send);
    else if (!c->is_draining)
        e = ERR_FULL;
    if (e == ERR_FULL)
        metrics_add(METRIC_SENDS_OVER_QUEUE, 1);
    if (e != ERR_OK || c->is_draining) {
        transfer_outgoing_fail_send(c->context->transfer.gateway, c->context->transfer.events, send,
                                    address_text(host, &c->peer),
                                    c->is_draining ? "disconnecting" : err_text(e));
        return;
    }
    if (!send->is_single)
        c->is_single = false;
    session_core_wake(c);
}

static void fail_cancelled(struct session *c, struct send_request *send)
{
    char host[ADDRESS_TEXT_SIZE];

    session_send_queue_remove(&c->waiting, send);
    transfer_outgoing_fail_send(c->context->transfer.gateway, c->context->transfer.events, send,
                                address_text(host, &c->peer), "cancelled");
}

/* A pending send has no transfer id yet. */
static bool cancel_waiting(struct session *c, const struct cancel_request *r)
{
    struct send_request *send, *next;
    bool is_done = false;

    if (r->transfer_id != 0)
        return false;
    if (r->send_id != 0) {
        send = session_send_queue_find(&c->waiting, r->send_id);
        if (send != NULL)
            fail_cancelled(c, send);
        return send != NULL;
    }
    for (send = TAILQ_FIRST(&c->waiting.head); send != NULL; send = next) {
        next = TAILQ_NEXT(send, queue_link);
        if (!transfer_outgoing_matches(r, send, 0))
            continue;
        fail_cancelled(c, send);
        is_done = true;
    }
    return is_done;
}

/* A file whose last frame has begun can no longer be cancelled. */
static struct transfer_outgoing *find_cancellable(const struct session *c,
                                                  const struct cancel_request *r)
{
    struct transfer_outgoing *out;

    TAILQ_FOREACH (out, &c->outgoing.head, link)
        if (out->phase != OUTGOING_OK_AWAITED &&
            transfer_outgoing_matches(r, out->send, out->transfer.transfer_id))
            return out;
    return NULL;
}

bool session_files_cancel_sending(struct session *c, const struct cancel_request *r)
{
    struct transfer_outgoing *out;
    bool is_done = cancel_waiting(c, r);

    while ((out = find_cancellable(c, r)) != NULL) {
        fail_outgoing(c, out, "cancelled");
        is_done = true;
    }
    return is_done;
}

bool session_files_cancel_receiving(struct session *c, uint32_t transfer_id)
{
    struct transfer_incoming *in;

    TAILQ_FOREACH (in, &c->incoming.head, link) {
        if (in->transfer.transfer_id != transfer_id || !transfer_incoming_is_receiving(in))
            continue;
        fail_incoming(c, in, "cancelled");
        return true;
    }
    return false;
}
