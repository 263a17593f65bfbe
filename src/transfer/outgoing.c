#include "transfer/outgoing.h"

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

static const uint32_t outgoing_magic = 0x6f757467; /* "outg" */

static void outgoing_free(struct transfer_outgoing *out)
{
    out->context->transfers--;
    transfer_ids_release(&out->context->ids, out->own_id);
    out->magic = 0;
    free(out->idurl);
    free(out);
}

static void outgoing_detach(struct transfer_outgoing *out)
{
    if (out->list == NULL)
        return;
    TAILQ_REMOVE(&out->list->head, out, link);
    out->list->count--;
    out->list = NULL;
}

static void answer_send(struct send_request *send, const struct gateway_transfer *t)
{
    send->status = t->status;
    send->transfer_id = t->transfer_id;
    send->size_bytes = t->size_bytes;
    send->sent_bytes = t->done_bytes;
    snprintf(send->error, sizeof send->error, "%s", t->error);
    request_answer(&send->request, t->status == GATEWAY_TRANSFER_FINISHED ? ERR_OK : ERR_CANCELLED);
}

static void log_outgoing_end(const struct gateway_transfer *t)
{
    char name[SETTINGS_TEXT_SIZE];

    text_escape(name, sizeof name, t->filename, strlen(t->filename), false);
    metrics_add(
        t->status == GATEWAY_TRANSFER_FINISHED ? METRIC_FILES_SENT : METRIC_FILES_SEND_FAILED, 1);
    if (t->status == GATEWAY_TRANSFER_FINISHED)
        log_session(LOG_LEVEL_INFO, t->session, t->host,
                    "file finished: sent transfer=%" PRIu32 " bytes=%" PRIu64 " path=%s",
                    t->transfer_id, t->done_bytes, name);
    else
        log_session(LOG_LEVEL_INFO, t->session, t->host,
                    "file failed: sending transfer=%" PRIu32 " bytes=%" PRIu64 "/%" PRIu64
                    " path=%s reason=\"%s\"",
                    t->transfer_id, t->done_bytes, t->size_bytes, name, t->error);
}

/* Finished or failed: logs, emits the event, notifies the gateway, answers the request, frees. */
static void outgoing_report(struct transfer_outgoing *out)
{
    struct gateway_transfer *t = &out->transfer;

    outbox_close(&out->file);
    log_outgoing_end(t);
    transfer_emit(out->context, EVENT_SENDING_ENDED, t);
    gateway_sending_ended(out->context->gateway, t);
    answer_send(out->send, t);
    outgoing_free(out);
}

static void outgoing_set_failed(struct transfer_outgoing *out, const char *reason)
{
    out->is_failed = true;
    transfer_set_failed(&out->transfer, reason);
    outgoing_detach(out);
}

static void outgoing_register_done(struct transfer_outgoing *out, enum err e)
{
    bool was_attached = out->list != NULL;

    out->phase = OUTGOING_SENDING;
    if (e == ERR_OK)
        transfer_emit(out->context, EVENT_SENDING_STARTED, &out->transfer);
    if (e != ERR_OK) {
        out->transfer.is_registered = false;
        if (!out->is_failed)
            outgoing_set_failed(out, err_text(e));
    }
    if (out->is_failed) {
        void *session = out->session;
        const struct transfer_callbacks *callbacks = out->callbacks;

        outgoing_report(out);
        if (was_attached)
            callbacks->unsendable(session);
    } else {
        out->callbacks->sendable(out->session);
    }
}

static void outgoing_registered(struct message *m, void *owner)
{
    struct transfer_outgoing *out = CONTAINER_OF(m, struct transfer_outgoing, transfer);

    (void)owner;
    MAGIC_CHECK(out, outgoing_magic);
    gateway_registered(&out->transfer);
    outgoing_register_done(out, out->transfer.request.result);
}

/* A file of send_file_single is neither registered nor unregistered (docs/protocol.md, 7). */
static void outgoing_register(struct transfer_outgoing *out)
{
    enum err e = ERR_OK;

    if (out->transfer.transfer_id == 0)
        e = ERR_FULL;
    else if (!out->send->is_single)
        e = gateway_register(out->context->gateway, &out->transfer);
    if (e != ERR_PENDING)
        outgoing_register_done(out, e);
}

static struct transfer_outgoing *outgoing_blank(struct transfer_context *context,
                                                const struct transfer_peer *peer,
                                                struct send_request *send)
{
    struct transfer_outgoing *out = calloc(1, sizeof *out);
    struct gateway_transfer *t;
    /* The identity in the request takes precedence over the announced one. */
    bool is_named = send->remote_idurl != NULL && send->remote_idurl[0] != '\0';
    const char *idurl = is_named ? send->remote_idurl : peer->idurl;

    if (out == NULL)
        return NULL;
    out->idurl = text_dup(idurl, strlen(idurl));
    if (out->idurl == NULL) {
        free(out);
        return NULL;
    }
    out->magic = outgoing_magic;
    out->context = context;
    out->send = send;
    out->file.fd = -1;
    out->begun_us = clock_boot_us();
    out->progress_ms = loop_now_ms(context->loop);
    context->transfers++;
    t = &out->transfer;
    transfer_fill(t, context, peer, out->idurl, outgoing_registered);
    out->own_id = t->transfer_id;
    gateway_describe_send(t, send);
    return out;
}

static void outgoing_open_failed(struct transfer_outgoing *out, enum err e)
{
    char reason[GATEWAY_TRANSFER_ERROR_SIZE];

    if (e == ERR_NOT_FOUND)
        snprintf(reason, sizeof reason, "file not exist");
    else if (e == ERR_IO && out->file.fd >= 0)
        outbox_read_problem(&out->file, e, reason, sizeof reason);
    else
        outbox_reason(e, reason, sizeof reason);
    outgoing_set_failed(out, reason);
    outgoing_report(out);
}

void transfer_outgoing_new(struct transfer_context *context, const struct transfer_peer *peer,
                           const struct transfer_callbacks *callbacks, void *session,
                           struct transfer_outgoing_list *list, int32_t file_id,
                           struct send_request *send)
{
    struct transfer_outgoing *out = outgoing_blank(context, peer, send);
    enum err e;

    if (out == NULL) {
        transfer_outgoing_fail_send(context->gateway, context->events, send, "",
                                    err_text(ERR_NO_MEMORY));
        return;
    }
    out->callbacks = callbacks;
    out->session = session;
    out->file_id = file_id;
    e = outbox_open(&out->file, send->filename, send->requester);
    if (e == ERR_OK)
        e = outbox_load(&out->file);
    if (e != ERR_OK) {
        outgoing_open_failed(out, e);
        return;
    }
    out->transfer.size_bytes = out->file.size_bytes;
    out->list = list;
    TAILQ_INSERT_TAIL(&list->head, out, link);
    out->number = ++list->begun;
    list->count++;
    outgoing_register(out);
}

/* A file is read only when every later change would be detected. */
static bool is_settled(struct transfer_outgoing *out, uint64_t *settle_ms)
{
    uint64_t left_ms = out->is_settled ? 0 : outbox_settles_in_ms(&out->file);

    out->is_settled = left_ms == 0;
    if (left_ms > 0 && (*settle_ms == 0 || left_ms < *settle_ms))
        *settle_ms = left_ms;
    return out->is_settled;
}

struct transfer_outgoing *transfer_outgoing_next(struct transfer_outgoing_list *list,
                                                 uint64_t *settle_ms)
{
    struct transfer_outgoing *out;

    TAILQ_FOREACH (out, &list->head, link)
        if (out->phase == OUTGOING_SENDING && is_settled(out, settle_ms))
            return out;
    return NULL;
}

uint32_t transfer_outgoing_next_bytes(const struct transfer_outgoing *out, uint32_t max)
{
    uint32_t left = out->file.size_bytes - (uint32_t)out->transfer.done_bytes;

    return left < max ? left : max;
}

enum err transfer_outgoing_read(struct transfer_outgoing *out, void *to, uint32_t bytes)
{
    return outbox_read(&out->file, out->transfer.done_bytes, to, bytes);
}

static void move_to_end(struct transfer_outgoing *out)
{
    TAILQ_REMOVE(&out->list->head, out, link);
    TAILQ_INSERT_TAIL(&out->list->head, out, link);
}

/* After the last byte the file is closed. */
static void await_ok(struct transfer_outgoing *out, uint64_t at)
{
    out->phase = OUTGOING_OK_AWAITED;
    out->last_byte_ms = loop_now_ms(out->context->loop);
    out->end_at = at;
    outbox_close(&out->file);
}

void transfer_outgoing_sent(struct transfer_outgoing *out, uint32_t bytes, uint64_t at)
{
    struct gateway_transfer *t = &out->transfer;
    uint64_t now_ms = loop_now_ms(out->context->loop);

    out->is_begun = true;
    t->done_bytes += bytes;
    transfer_marks_add(&out->marks, at, (uint32_t)t->done_bytes, t->done_bytes == t->size_bytes);
    if (t->done_bytes == t->size_bytes)
        await_ok(out, at);
    if (now_ms - out->progress_ms >= TRANSFER_PROGRESS_MS) {
        out->progress_ms = now_ms;
        t->acknowledged_bytes =
            transfer_marks_passed(&out->marks, out->callbacks->acknowledged(out->session));
        transfer_emit(out->context, EVENT_SENDING_PROGRESS, t);
    }
    move_to_end(out);
}

bool transfer_outgoing_is_timed_out(const struct transfer_outgoing *out)
{
    uint64_t limit_ms = out->context->settings->sessions.ok_timeout_s * 1000ull;

    return out->phase == OUTGOING_OK_AWAITED &&
           loop_now_ms(out->context->loop) - out->last_byte_ms >= limit_ms;
}

void transfer_outgoing_restart_timeout(struct transfer_outgoing *out)
{
    out->last_byte_ms = loop_now_ms(out->context->loop);
}

void transfer_outgoing_finish(struct transfer_outgoing *out)
{
    CONTRACT(out->phase == OUTGOING_OK_AWAITED);
    outgoing_detach(out);
    out->transfer.status = GATEWAY_TRANSFER_FINISHED;
    out->transfer.acknowledged_bytes = out->transfer.done_bytes;
    outgoing_report(out);
}

void transfer_outgoing_fail(struct transfer_outgoing *out, const char *reason)
{
    CONTRACT(!out->is_failed);
    outgoing_set_failed(out, reason);
    if (out->phase != OUTGOING_REGISTERING)
        outgoing_report(out);
}

bool transfer_outgoing_matches(const struct cancel_request *r, const struct send_request *send,
                               uint32_t transfer_id)
{
    const struct contact *contact = &send->route.contact;

    CONTRACT(send->filename != NULL);
    if (r->transfer_id != 0)
        return r->transfer_id == transfer_id;
    if (r->send_id != 0)
        return r->send_id == send->id;
    return strcmp(r->contact.host, contact->host) == 0 && r->contact.port == contact->port &&
           strcmp(r->filename, send->filename) == 0;
}

void transfer_outgoing_fail_send(struct gateway *gateway, struct event_sink *events,
                                 struct send_request *send, const char *host, const char *reason)
{
    struct gateway_transfer t = {.proto = send->route.contact.proto,
                                 .idurl = send->remote_idurl == NULL ? "" : send->remote_idurl};

    gateway_describe_send(&t, send);
    snprintf(t.host, sizeof t.host, "%s", host);
    transfer_set_failed(&t, reason);
    log_outgoing_end(&t);
    event_emit(events, gateway_transfer_event(EVENT_SENDING_ENDED, &t));
    gateway_sending_ended(gateway, &t);
    answer_send(send, &t);
}
