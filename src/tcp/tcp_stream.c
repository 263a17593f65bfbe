#include "tcp/tcp_stream.h"

#include "base/clock.h"
#include "base/contract.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t incoming_magic = 0x696e636f; /* "inco" */
static const uint32_t outgoing_magic = 0x6f757467; /* "outg" */

enum { PROGRESS_MS = 1000 };

/* The struct around a member; the magic number is checked by whoever asks. */
#define AROUND(member_pointer, type, member) \
    ((type *)(void *)((char *)(member_pointer)-offsetof(type, member)))

/* Transfer ids. */

static void ids_came(struct message *m, void *owner)
{
    struct tcp_home *home = AROUND(m, struct tcp_home, more_ids);

    (void)owner;
    home->is_asking_ids = false;
    home->streams--;
    if (home->more_ids.request.result != ERR_OK) {
        home->more_ids.ids = (struct transfer_ids){0};
        log_error("no new block of transfer ids: %s", err_text(home->more_ids.request.result));
    }
}

static void ask_ids(struct tcp_home *home)
{
    home->is_asking_ids = true;
    home->streams++; /* the answer needs the home, like a stream's */
    home->more_ids = (struct commit_request){
        .kind = COMMIT_IDS,
        .request = {.answer_to = loop_mailbox(home->loop), .on_answer = ids_came}};
    committer_submit(home->committer, &home->more_ids);
}

/* The second block is asked for when half of the first is gone: 32,768 more files would have to
 * begin before the disk answers to run dry. */
uint32_t tcp_home_next_id(struct tcp_home *home)
{
    struct transfer_ids *spare = &home->more_ids.ids;

    if (home->ids.next == home->ids.end && !home->is_asking_ids) {
        home->ids = *spare;
        *spare = (struct transfer_ids){0};
    }
    if (!home->is_asking_ids && spare->next == spare->end &&
        home->ids.end - home->ids.next <= TRANSFER_IDS_BLOCK / 2)
        ask_ids(home);
    return home->ids.next == home->ids.end ? 0 : home->ids.next++;
}

/* What both directions share. */

static void fill_transfer(struct gateway_transfer *t, struct tcp_home *home,
                          const struct tcp_peer *peer, const char *idurl, message_fn *on_answer)
{
    t->request.answer_to = loop_mailbox(home->loop);
    t->request.on_answer = on_answer;
    t->proto = "tcp";
    t->idurl = idurl;
    t->session = peer->session;
    address_text(t->host, &peer->address);
    t->transfer_id = tcp_home_next_id(home);
}

static void set_failed(struct gateway_transfer *t, const char *reason)
{
    t->status = TRANSFER_FAILED;
    snprintf(t->error, sizeof t->error, "%s", reason);
}

static void tell(struct tcp_home *home, enum event_kind kind, struct gateway_transfer *t)
{
    event_emit(home->events, gateway_transfer_event(kind, t));
}

/* Incoming. */

static void incoming_free(struct tcp_incoming *in)
{
    in->home->streams--;
    in->magic = 0;
    free(in->idurl);
    free(in);
}

static void incoming_leave(struct tcp_incoming *in)
{
    if (in->list == NULL)
        return;
    TAILQ_REMOVE(&in->list->head, in, link);
    in->list->count--;
    in->list = NULL;
}

static void log_incoming_end(const struct tcp_incoming *in)
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
    struct tcp_incoming *in = AROUND(m, struct tcp_incoming, commit);

    (void)owner;
    MAGIC_CHECK(in, incoming_magic);
    incoming_free(in);
}

static void incoming_reported(struct tcp_incoming *in)
{
    if (in->is_failed) {
        incoming_free(in);
        return;
    }
    in->phase = INCOMING_MARKING;
    in->commit.kind = COMMIT_REPORTED;
    in->commit.request.on_answer = incoming_marked;
    committer_submit(in->home->committer, &in->commit);
}

static void incoming_report_answered(struct message *m, void *owner)
{
    struct tcp_incoming *in = AROUND(m, struct tcp_incoming, transfer);

    (void)owner;
    MAGIC_CHECK(in, incoming_magic);
    incoming_reported(in);
}

static void incoming_report(struct tcp_incoming *in)
{
    void *self;
    const struct gateway_ops *gateway = gateway_current(in->home->gateway, &self);
    struct gateway_transfer *t = &in->transfer;

    in->phase = INCOMING_REPORTING;
    t->status = in->is_failed ? TRANSFER_FAILED : TRANSFER_FINISHED;
    t->done_bytes = in->file.written_bytes;
    metrics_add(in->is_failed ? METRIC_FILES_RECEIVE_FAILED : METRIC_FILES_RECEIVED, 1);
    log_incoming_end(in);
    tell(in->home, EVENT_RECEIVING_ENDED, t);
    if (!t->is_registered) {
        incoming_reported(in);
        return;
    }
    t->request.on_answer = incoming_report_answered;
    if (gateway->unregister_file_receiving(self, t) != ERR_PENDING)
        incoming_reported(in);
}

static void incoming_discarded(struct message *m, void *owner)
{
    struct tcp_incoming *in = AROUND(m, struct tcp_incoming, commit);

    (void)owner;
    MAGIC_CHECK(in, incoming_magic);
    incoming_report(in);
}

/* Out by failure: the partial file first, then the report. */
static void incoming_discard(struct tcp_incoming *in)
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
    committer_submit(in->home->committer, &in->commit);
}

typedef void refusal_fn(void *session, int32_t file_id, const char *reason);

/* Given up by our side. */
static void incoming_break(struct tcp_incoming *in, const char *reason, refusal_fn *tell)
{
    bool was_attached = in->list != NULL;

    in->is_failed = true;
    set_failed(&in->transfer, reason);
    incoming_leave(in);
    if (was_attached)
        tell(in->session, in->file_id, reason);
}

static void incoming_committed(struct message *m, void *owner)
{
    struct tcp_incoming *in = AROUND(m, struct tcp_incoming, commit);
    enum err e = in->commit.request.result;

    (void)owner;
    MAGIC_CHECK(in, incoming_magic);
    if (e != ERR_OK) {
        char reason[TRANSFER_ERROR_SIZE];

        snprintf(reason, sizeof reason, "cannot store the file: %s", err_text(e));
        incoming_break(in, reason, in->news->refused);
    } else if (in->list != NULL) {
        incoming_leave(in);
        in->news->committed(in->session, in->file_id);
    }
    incoming_report(in);
}

static void incoming_commit(struct tcp_incoming *in)
{
    in->phase = INCOMING_COMMITTING;
    in->commit.kind = COMMIT_FILE;
    in->commit.request.on_answer = incoming_committed;
    in->commit.file = in->file;
    in->commit.record = (struct inbox_record){.transfer_id = in->transfer.transfer_id,
                                              .peer = in->commit.record.peer,
                                              .size_bytes = in->size_bytes,
                                              .started_us = in->started_us,
                                              .committed_us = clock_real_us(),
                                              .idurl = in->idurl};
    memcpy(in->commit.record.name, in->file.name, sizeof in->commit.record.name);
    in->file.fd = -1;
    committer_submit(in->home->committer, &in->commit);
}

static void incoming_register_done(struct tcp_incoming *in, enum err e)
{
    in->phase = INCOMING_OPEN;
    if (e == ERR_OK)
        tell(in->home, EVENT_RECEIVING_STARTED, &in->transfer);
    if (e != ERR_OK) {
        in->transfer.is_registered = false;
        if (!in->is_failed)
            incoming_break(in, err_text(e), in->news->gateway_lost);
    }
    if (in->is_failed)
        incoming_discard(in);
    else if (in->is_whole)
        incoming_commit(in);
}

static void incoming_registered(struct message *m, void *owner)
{
    struct tcp_incoming *in = AROUND(m, struct tcp_incoming, transfer);

    (void)owner;
    MAGIC_CHECK(in, incoming_magic);
    incoming_register_done(in, in->transfer.request.result);
}

static void incoming_register(struct tcp_incoming *in)
{
    void *self;
    const struct gateway_ops *gateway = gateway_current(in->home->gateway, &self);
    enum err e;

    in->transfer.request.on_answer = incoming_registered;
    e = in->transfer.transfer_id == 0 ? ERR_FULL
                                      : gateway->register_file_receiving(self, &in->transfer);
    if (e != ERR_PENDING)
        incoming_register_done(in, e);
}

static void incoming_start(struct tcp_incoming *in)
{
    bool has_id = in->transfer.transfer_id != 0;
    enum err e = has_id ? inbox_begin(in->home->inbox, &in->file) : ERR_FULL;
    char reason[TRANSFER_ERROR_SIZE];

    if (e == ERR_OK) {
        inbox_final_path(in->home->inbox, in->file.name, in->path);
    } else {
        in->file.fd = -1;
        snprintf(reason, sizeof reason, "cannot begin a file in the inbox: %s",
                 has_id ? err_text(e) : "the journal has no transfer id to give");
        log_session(LOG_LEVEL_ERROR, in->transfer.session, in->transfer.host, "%s", reason);
        incoming_break(in, reason, in->news->refused);
    }
    incoming_register(in);
}

enum err tcp_incoming_new(struct tcp_home *home, const struct tcp_peer *peer,
                          const struct tcp_stream_news *news, void *session,
                          struct tcp_incoming_list *list, int32_t file_id, uint32_t size_bytes)
{
    struct tcp_incoming *in = calloc(1, sizeof *in);

    if (in == NULL)
        return ERR_NO_MEMORY;
    in->idurl = text_dup(peer->idurl, strlen(peer->idurl));
    if (in->idurl == NULL) {
        free(in);
        return ERR_NO_MEMORY;
    }
    in->magic = incoming_magic;
    in->home = home;
    in->news = news;
    in->session = session;
    in->list = list;
    in->file_id = file_id;
    in->size_bytes = size_bytes;
    in->started_us = clock_real_us();
    in->progress_ms = in->window_start_ms = loop_now_ms(home->loop);
    in->commit.request.answer_to = loop_mailbox(home->loop);
    in->commit.record.peer = peer->address;
    home->streams++;
    fill_transfer(&in->transfer, home, peer, in->idurl, incoming_registered);
    in->transfer.size_bytes = size_bytes;
    in->transfer.filename = in->path;
    TAILQ_INSERT_TAIL(&list->head, in, link);
    list->count++;
    incoming_start(in);
    return ERR_OK;
}

bool tcp_incoming_is_receiving(const struct tcp_incoming *in)
{
    return !in->is_whole && !in->is_failed;
}

enum err tcp_incoming_write(struct tcp_incoming *in, const void *bytes, size_t length)
{
    struct tcp_home *home = in->home;
    enum err e;

    CONTRACT(tcp_incoming_is_receiving(in));
    if (length > in->size_bytes - in->file.written_bytes)
        return ERR_TOO_LARGE;
    if (length > 0 && (e = inbox_write(&in->file, bytes, length)) != ERR_OK)
        return e;
    if (loop_now_ms(home->loop) - in->progress_ms >= PROGRESS_MS) {
        in->progress_ms = loop_now_ms(home->loop);
        in->transfer.done_bytes = in->file.written_bytes;
        tell(home, EVENT_RECEIVING_PROGRESS, &in->transfer);
    }
    if (in->file.written_bytes == in->size_bytes) {
        in->is_whole = true;
        if (in->phase == INCOMING_OPEN)
            incoming_commit(in);
    }
    return ERR_OK;
}

void tcp_incoming_fail(struct tcp_incoming *in, const char *reason)
{
    CONTRACT(tcp_incoming_is_receiving(in));
    in->is_failed = true;
    set_failed(&in->transfer, reason);
    incoming_leave(in);
    if (in->phase == INCOMING_OPEN)
        incoming_discard(in);
}

void tcp_incoming_detach(struct tcp_incoming *in)
{
    CONTRACT(in->is_whole);
    incoming_leave(in);
}

/* Outgoing. */

static void outgoing_free(struct tcp_outgoing *out)
{
    out->home->streams--;
    out->magic = 0;
    free(out->idurl);
    free(out);
}

static void outgoing_leave(struct tcp_outgoing *out)
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
    request_answer(&send->request, t->status == TRANSFER_FINISHED ? ERR_OK : ERR_CANCELLED);
}

static void log_outgoing_end(const struct gateway_transfer *t)
{
    char name[SETTINGS_TEXT_SIZE];

    text_escape(name, sizeof name, t->filename, strlen(t->filename), false);
    metrics_add(t->status == TRANSFER_FINISHED ? METRIC_FILES_SENT : METRIC_FILES_SEND_FAILED, 1);
    if (t->status == TRANSFER_FINISHED)
        log_session(LOG_LEVEL_INFO, t->session, t->host,
                    "file finished: sent transfer=%" PRIu32 " bytes=%" PRIu64 " path=%s",
                    t->transfer_id, t->done_bytes, name);
    else
        log_session(LOG_LEVEL_INFO, t->session, t->host,
                    "file failed: sending transfer=%" PRIu32 " bytes=%" PRIu64 "/%" PRIu64
                    " path=%s reason=\"%s\"",
                    t->transfer_id, t->done_bytes, t->size_bytes, name, t->error);
}

static void outgoing_report_answered(struct message *m, void *owner)
{
    struct tcp_outgoing *out = AROUND(m, struct tcp_outgoing, transfer);

    (void)owner;
    MAGIC_CHECK(out, outgoing_magic);
    outgoing_free(out);
}

/* Decided: gateway and asker are told. Without a registration the gateway hears of a failure by
 * cancelled_file_sending. The strings of the transfer are the request's, which goes back to its
 * asker: a gateway that answers later gets copies. */
static void outgoing_report(struct tcp_outgoing *out)
{
    void *self;
    const struct gateway_ops *gateway = gateway_current(out->home->gateway, &self);
    struct gateway_transfer *t = &out->transfer;
    enum err e = ERR_OK;

    out->phase = OUTGOING_REPORTING;
    outbox_close(&out->file);
    log_outgoing_end(t);
    tell(out->home, EVENT_SENDING_ENDED, t);
    t->request.on_answer = outgoing_report_answered;
    if (t->is_registered)
        e = gateway->unregister_file_sending(self, t);
    else if (t->status == TRANSFER_FAILED)
        gateway->cancelled_file_sending(self, t);
    answer_send(out->send, t);
    out->send = NULL;
    if (e != ERR_PENDING)
        outgoing_free(out);
}

static void outgoing_break(struct tcp_outgoing *out, const char *reason)
{
    out->is_failed = true;
    set_failed(&out->transfer, reason);
    outgoing_leave(out);
}

static void outgoing_register_done(struct tcp_outgoing *out, enum err e)
{
    bool was_attached = out->list != NULL;

    out->phase = OUTGOING_SENDING;
    if (e == ERR_OK)
        tell(out->home, EVENT_SENDING_STARTED, &out->transfer);
    if (e != ERR_OK) {
        out->transfer.is_registered = false;
        if (!out->is_failed)
            outgoing_break(out, err_text(e));
    }
    if (out->is_failed) {
        void *session = out->session;
        const struct tcp_stream_news *news = out->news;

        outgoing_report(out);
        if (was_attached)
            news->unsendable(session);
    } else {
        out->news->sendable(out->session);
    }
}

static void outgoing_registered(struct message *m, void *owner)
{
    struct tcp_outgoing *out = AROUND(m, struct tcp_outgoing, transfer);

    (void)owner;
    MAGIC_CHECK(out, outgoing_magic);
    outgoing_register_done(out, out->transfer.request.result);
}

/* A file of send_file_single is neither registered nor unregistered (docs/protocol.md, 7). */
static void outgoing_register(struct tcp_outgoing *out)
{
    void *self;
    const struct gateway_ops *gateway = gateway_current(out->home->gateway, &self);
    enum err e = ERR_OK;

    if (out->transfer.transfer_id == 0)
        e = ERR_FULL;
    else if (!out->send->is_single)
        e = gateway->register_file_sending(self, &out->transfer);
    if (e != ERR_PENDING)
        outgoing_register_done(out, e);
}

static struct tcp_outgoing *outgoing_blank(struct tcp_home *home, const struct tcp_peer *peer,
                                           struct send_request *send)
{
    struct tcp_outgoing *out = calloc(1, sizeof *out);
    struct gateway_transfer *t;
    /* Whom the asker means goes before who the peer says it is. */
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
    out->home = home;
    out->send = send;
    out->file.fd = -1;
    out->started_us = clock_real_us();
    out->progress_ms = loop_now_ms(home->loop);
    home->streams++;
    t = &out->transfer;
    fill_transfer(t, home, peer, out->idurl, outgoing_registered);
    t->request_id = send->id;
    t->filename = send->filename;
    t->description = send->description;
    return out;
}

void tcp_outgoing_new(struct tcp_home *home, const struct tcp_peer *peer,
                      const struct tcp_stream_news *news, void *session,
                      struct tcp_outgoing_list *list, int32_t file_id, struct send_request *send)
{
    struct tcp_outgoing *out = outgoing_blank(home, peer, send);
    char reason[TRANSFER_ERROR_SIZE];
    enum err e;

    if (out == NULL) {
        tcp_send_fail(home->gateway, home->events, send, "", err_text(ERR_NO_MEMORY));
        return;
    }
    out->news = news;
    out->session = session;
    out->file_id = file_id;
    e = outbox_open(&out->file, send->filename);
    if (e != ERR_OK) {
        outbox_explain(e, send->filename, reason, sizeof reason);
        outgoing_break(out, e == ERR_NOT_FOUND ? "file not exist" : reason);
        outgoing_report(out);
        return;
    }
    out->transfer.size_bytes = out->file.size_bytes;
    out->list = list;
    TAILQ_INSERT_TAIL(&list->head, out, link);
    list->count++;
    outgoing_register(out);
}

void tcp_outgoing_sent(struct tcp_outgoing *out, uint32_t bytes)
{
    struct tcp_home *home = out->home;

    out->transfer.done_bytes += bytes;
    if (loop_now_ms(home->loop) - out->progress_ms >= PROGRESS_MS) {
        out->progress_ms = loop_now_ms(home->loop);
        tell(home, EVENT_SENDING_PROGRESS, &out->transfer);
    }
}

void tcp_outgoing_finish(struct tcp_outgoing *out)
{
    CONTRACT(out->phase == OUTGOING_OK_AWAITED);
    outgoing_leave(out);
    out->transfer.status = TRANSFER_FINISHED;
    outgoing_report(out);
}

void tcp_outgoing_fail(struct tcp_outgoing *out, const char *reason)
{
    CONTRACT(!out->is_failed);
    outgoing_break(out, reason);
    if (out->phase != OUTGOING_REGISTERING)
        outgoing_report(out);
}

void tcp_send_fail(struct gateway *registry, struct event_sink *events, struct send_request *send,
                   const char *host, const char *reason)
{
    void *self;
    const struct gateway_ops *gateway = gateway_current(registry, &self);
    struct gateway_transfer t = {.proto = "tcp",
                                 .idurl = send->remote_idurl == NULL ? "" : send->remote_idurl,
                                 .filename = send->filename,
                                 .description = send->description,
                                 .request_id = send->id};

    snprintf(t.host, sizeof t.host, "%s", host);
    set_failed(&t, reason);
    log_outgoing_end(&t);
    event_emit(events, gateway_transfer_event(EVENT_SENDING_ENDED, &t));
    gateway->cancelled_file_sending(self, &t);
    answer_send(send, &t);
}
