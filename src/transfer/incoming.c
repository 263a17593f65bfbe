#include "transfer/incoming.h"

#include "transfer/transfer_internal.h"

#include "base/clock.h"
#include "base/container_of.h"
#include "base/contract.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t incoming_magic = 0x696e636f; /* "inco" */

static void incoming_free(struct transfer_incoming *in)
{
    in->context->transfers--;
    transfer_ids_release(&in->context->ids, in->journal_id);
    in->magic = 0;
    free(in->idurl);
    free(in);
}

static void incoming_detach(struct transfer_incoming *in)
{
    if (in->list == NULL)
        return;
    TAILQ_REMOVE(&in->list->head, in, link);
    in->list->count--;
    in->list = NULL;
}

static void log_incoming_end(const struct transfer_incoming *in)
{
    const struct gateway_transfer *t = &in->transfer;

    if (in->is_failed)
        log_session(LOG_LEVEL_INFO, t->session, t->host,
                    "file failed: receiving transfer=%" PRIu32 " bytes=%" PRIu64 "/%" PRIu32
                    " reason=\"%s\"",
                    t->transfer_id, in->file.written_bytes, in->size_bytes, t->error);
    else
        log_session(LOG_LEVEL_INFO, t->session, t->host,
                    "file finished: received transfer=%" PRIu32 " bytes=%" PRIu32 " path=%s",
                    t->transfer_id, in->size_bytes, in->path);
}

static void incoming_marked(struct message *m, void *owner)
{
    struct transfer_incoming *in = CONTAINER_OF(m, struct transfer_incoming, commit);

    (void)owner;
    MAGIC_CHECK(in, incoming_magic);
    incoming_free(in);
}

/* A finished file whose report failed stays unmarked in the journal, to be reported again. */
static void incoming_report_done(struct transfer_incoming *in, enum err e)
{
    if (in->is_failed || e != ERR_OK) {
        incoming_free(in);
        return;
    }
    in->phase = INCOMING_MARKING;
    in->commit.kind = COMMIT_REPORTED;
    in->commit.request.on_answer = incoming_marked;
    committer_turn_add(&in->context->commits, in->context->committer, &in->commit);
}

static void incoming_report_answered(struct message *m, void *owner)
{
    struct transfer_incoming *in = CONTAINER_OF(m, struct transfer_incoming, transfer);

    (void)owner;
    MAGIC_CHECK(in, incoming_magic);
    incoming_report_done(in, in->transfer.request.result);
}

static void incoming_report(struct transfer_incoming *in)
{
    struct gateway_transfer *t = &in->transfer;
    enum err e;

    in->phase = INCOMING_REPORTING;
    t->status = in->is_failed ? GATEWAY_TRANSFER_FAILED : GATEWAY_TRANSFER_FINISHED;
    t->done_bytes = in->file.written_bytes;
    metrics_add(in->is_failed ? METRIC_FILES_RECEIVE_FAILED : METRIC_FILES_RECEIVED, 1);
    log_incoming_end(in);
    transfer_emit(in->context, EVENT_RECEIVING_ENDED, t);
    t->request.on_answer = incoming_report_answered;
    e = t->is_registered ? gateway_receiving_ended(in->context->gateway, t) : ERR_OK;
    if (e != ERR_PENDING)
        incoming_report_done(in, e);
}

static void incoming_discarded(struct message *m, void *owner)
{
    struct transfer_incoming *in = CONTAINER_OF(m, struct transfer_incoming, commit);

    (void)owner;
    MAGIC_CHECK(in, incoming_magic);
    in->context->discards--;
    incoming_report(in);
}

/* After a failure: removes the partial file, then reports. */
static void incoming_discard(struct transfer_incoming *in)
{
    in->phase = INCOMING_DISCARDING;
    in->commit.kind = COMMIT_DISCARD;
    in->commit.file = in->file;
    in->commit.request.on_answer = incoming_discarded;
    if (in->file.fd < 0) {
        incoming_report(in);
        return;
    }
    in->file.fd = -1;
    in->context->discards++;
    committer_turn_add(&in->context->commits, in->context->committer, &in->commit);
}

typedef void refusal_fn(void *session, int32_t file_id, const char *reason);

/* Our side aborts the file; `report` is called if a session is attached. */
static void incoming_abort(struct transfer_incoming *in, const char *reason, refusal_fn *report)
{
    bool was_attached = in->list != NULL;

    in->is_failed = true;
    transfer_set_failed(&in->transfer, reason);
    incoming_detach(in);
    if (was_attached)
        report(in->session, in->file_id, reason);
}

static void incoming_committed(struct message *m, void *owner)
{
    struct transfer_incoming *in = CONTAINER_OF(m, struct transfer_incoming, commit);
    enum err e = in->commit.request.result;

    (void)owner;
    MAGIC_CHECK(in, incoming_magic);
    if (e != ERR_OK) {
        char reason[GATEWAY_TRANSFER_ERROR_SIZE];

        snprintf(reason, sizeof reason, "cannot store the file: %s", err_text(e));
        incoming_abort(in, reason, in->callbacks->refused);
    } else if (in->list != NULL) {
        incoming_detach(in);
        in->callbacks->committed(in->session, in->file_id);
    }
    incoming_report(in);
}

static void incoming_commit(struct transfer_incoming *in)
{
    in->phase = INCOMING_COMMITTING;
    in->commit.kind = COMMIT_FILE;
    in->commit.request.on_answer = incoming_committed;
    in->commit.file = in->file;
    in->commit.record = (struct journal_file){.transfer_id = in->journal_id,
                                              .gateway_id = gateway_remote_id(&in->transfer),
                                              .peer = in->commit.record.peer,
                                              .size_bytes = in->size_bytes,
                                              .started_us = in->started_us,
                                              .committed_us = clock_real_us(),
                                              .proto = in->transfer.proto,
                                              .idurl = in->idurl};
    memcpy(in->commit.record.name, in->file.name, sizeof in->commit.record.name);
    in->file.fd = -1;
    committer_turn_add(&in->context->commits, in->context->committer, &in->commit);
}

static void incoming_register_done(struct transfer_incoming *in, enum err e)
{
    in->phase = INCOMING_OPEN;
    if (e == ERR_OK)
        transfer_emit(in->context, EVENT_RECEIVING_STARTED, &in->transfer);
    if (e != ERR_OK) {
        in->transfer.is_registered = false;
        if (!in->is_failed)
            incoming_abort(in, err_text(e), in->callbacks->gateway_lost);
    }
    if (in->is_failed)
        incoming_discard(in);
    else if (in->is_complete)
        incoming_commit(in);
}

static void incoming_registered(struct message *m, void *owner)
{
    struct transfer_incoming *in = CONTAINER_OF(m, struct transfer_incoming, transfer);

    (void)owner;
    MAGIC_CHECK(in, incoming_magic);
    gateway_registered(&in->transfer);
    incoming_register_done(in, in->transfer.request.result);
}

static void incoming_register(struct transfer_incoming *in)
{
    enum err e;

    in->transfer.request.on_answer = incoming_registered;
    e = in->transfer.transfer_id == 0 ? ERR_FULL
                                      : gateway_register(in->context->gateway, &in->transfer);
    if (e != ERR_PENDING)
        incoming_register_done(in, e);
}

static void incoming_start(struct transfer_incoming *in)
{
    bool has_id = in->transfer.transfer_id != 0;
    enum err e =
        has_id ? inbox_partial_file_begin(in->context->inbox, in->size_bytes, &in->file) : ERR_FULL;
    char reason[GATEWAY_TRANSFER_ERROR_SIZE];

    if (e == ERR_OK) {
        inbox_final_path(in->context->inbox, in->file.name, in->path);
    } else {
        in->file.fd = -1;
        snprintf(reason, sizeof reason, "cannot create a file in the inbox: %s",
                 has_id ? err_text(e) : "no transfer id left in the journal");
        log_session(LOG_LEVEL_ERROR, in->transfer.session, in->transfer.host, "%s", reason);
        incoming_abort(in, reason, in->callbacks->refused);
    }
    incoming_register(in);
}

enum err transfer_incoming_new(struct transfer_context *context, const struct transfer_peer *peer,
                               const struct transfer_callbacks *callbacks, void *session,
                               struct transfer_incoming_list *list, int32_t file_id,
                               uint32_t size_bytes)
{
    struct transfer_incoming *in = calloc(1, sizeof *in);

    if (in == NULL)
        return ERR_NO_MEMORY;
    in->idurl = text_dup(peer->idurl, strlen(peer->idurl));
    if (in->idurl == NULL) {
        free(in);
        return ERR_NO_MEMORY;
    }
    in->magic = incoming_magic;
    in->context = context;
    in->callbacks = callbacks;
    in->session = session;
    in->list = list;
    in->file_id = file_id;
    in->size_bytes = size_bytes;
    in->started_us = clock_real_us();
    in->begun_us = clock_boot_us();
    in->progress_ms = in->window.start_ms = in->window.own_ms = loop_now_ms(context->loop);
    in->window.session_bytes = list->received_bytes;
    in->commit.request.answer_to = loop_mailbox(context->loop);
    in->commit.record.peer = peer->address;
    context->transfers++;
    transfer_fill(&in->transfer, context, peer, in->idurl, incoming_registered);
    in->journal_id = in->transfer.transfer_id;
    in->transfer.size_bytes = size_bytes;
    in->transfer.filename = in->path;
    TAILQ_INSERT_TAIL(&list->head, in, link);
    in->number = ++list->begun;
    list->count++;
    incoming_start(in);
    return ERR_OK;
}

bool transfer_incoming_is_receiving(const struct transfer_incoming *in)
{
    return !in->is_complete && !in->is_failed;
}

enum err transfer_incoming_write(struct transfer_incoming *in, const void *bytes, size_t length)
{
    struct transfer_context *context = in->context;
    enum err e;

    CONTRACT(transfer_incoming_is_receiving(in));
    in->list->received_bytes += length;
    if (length > in->size_bytes - in->file.written_bytes)
        return ERR_TOO_LARGE;
    if (length > 0 && (e = inbox_partial_file_write(&in->file, bytes, length)) != ERR_OK)
        return e;
    committer_start_writeback(context->committer, &in->file);
    if (loop_now_ms(context->loop) - in->progress_ms >= TRANSFER_PROGRESS_MS) {
        in->progress_ms = loop_now_ms(context->loop);
        in->transfer.done_bytes = in->file.written_bytes;
        transfer_emit(context, EVENT_RECEIVING_PROGRESS, &in->transfer);
    }
    if (in->file.written_bytes == in->size_bytes) {
        in->is_complete = true;
        if (in->phase == INCOMING_OPEN)
            incoming_commit(in);
    }
    return ERR_OK;
}

/* Timeouts. */

static void restart_window(struct transfer_incoming *in, uint64_t now_ms)
{
    struct transfer_stall_window *w = &in->window;

    if (in->file.written_bytes > w->own_bytes)
        w->own_ms = now_ms;
    w->start_ms = now_ms;
    w->own_bytes = in->file.written_bytes;
    w->session_bytes = in->list->received_bytes;
}

/* The files of a session share its bandwidth, so the rate of the whole session counts. In addition
 * a single file is stalled if it received nothing for as many windows as the session has files. */
static bool is_too_slow(const struct transfer_incoming *in, uint64_t now_ms)
{
    const struct settings *s = in->context->settings;
    const struct transfer_stall_window *w = &in->window;
    uint64_t least = (uint64_t)s->sessions.stall_bytes_per_s * s->sessions.stall_window_s;
    uint64_t starved_ms = s->sessions.stall_window_s * 1000ull * in->list->count;

    if (in->list->received_bytes - w->session_bytes < least)
        return true;
    return in->file.written_bytes == w->own_bytes && now_ms - w->own_ms >= starved_ms;
}

bool transfer_incoming_is_stalled(struct transfer_incoming *in, bool is_read)
{
    uint64_t now_ms = loop_now_ms(in->context->loop);

    if (now_ms - in->window.start_ms < in->context->settings->sessions.stall_window_s * 1000ull)
        return false;
    if (is_read && is_too_slow(in, now_ms))
        return true;
    restart_window(in, now_ms);
    return false;
}

void transfer_incoming_restart_timeout(struct transfer_incoming *in)
{
    uint64_t now_ms = loop_now_ms(in->context->loop);

    restart_window(in, now_ms);
    in->window.own_ms = now_ms;
}

void transfer_incoming_fail(struct transfer_incoming *in, const char *reason)
{
    CONTRACT(transfer_incoming_is_receiving(in));
    in->is_failed = true;
    transfer_set_failed(&in->transfer, reason);
    incoming_detach(in);
    if (in->phase == INCOMING_OPEN)
        incoming_discard(in);
}

void transfer_incoming_detach(struct transfer_incoming *in)
{
    CONTRACT(in->is_complete);
    incoming_detach(in);
}
