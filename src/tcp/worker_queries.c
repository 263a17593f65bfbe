#include "tcp/worker.h"

#include "tcp/worker_internal.h"

#include "base/clock.h"
#include "tcp/session/core.h"
#include "tcp/session/files.h"
#include "tcp/session/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A request to all workers is passed from one to the next, and the last one answers it: nothing is
 * shared, and no answers have to be collected. */

static void begin(struct tcp_worker *first, struct request *r, unsigned *at, message_fn *query)
{
    *at = 0;
    mailbox_answer(loop_mailbox(first->context.loop), &r->message, query);
}

static void forward(struct tcp_worker *w, struct request *r, unsigned *at, message_fn *query)
{
    (*at)++;
    if (*at == w->config.worker_count)
        request_answer(r, ERR_OK);
    else
        mailbox_answer(loop_mailbox(w->config.workers[*at]->context.loop), &r->message, query);
}

/* True if the session's peer has one of the addresses of the route. */
static bool is_routed_to(const struct session *c, const struct route *route)
{
    for (unsigned i = 0; i < route->address_count; i++)
        if (address_is_equal(&c->peer, &route->addresses[i]) ||
            address_is_equal(&c->route, &route->addresses[i]))
            return true;
    return false;
}

static void visit_disconnect_from(struct message *m, void *owner)
{
    struct tcp_worker *w = owner;
    struct host_request *r = (struct host_request *)(void *)m;
    struct session *c, *next;

    for (c = TAILQ_FIRST(&w->sessions); c != NULL; c = next) {
        next = TAILQ_NEXT(c, list_link);
        if (!c->is_ending && is_routed_to(c, &r->route)) {
            session_core_disconnect(c, "disconnecting");
            r->answer = true;
        }
    }
    forward(w, &r->request, &r->at, visit_disconnect_from);
}

void tcp_worker_queries_disconnect_from(struct tcp_worker *first, struct host_request *r)
{
    begin(first, &r->request, &r->at, visit_disconnect_from);
}

static void visit_keep_alive(struct message *m, void *owner)
{
    struct tcp_worker *w = owner;
    struct host_request *r = (struct host_request *)(void *)m;
    struct session *c;

    TAILQ_FOREACH (c, &w->sessions, list_link)
        if (is_routed_to(c, &r->route) && session_keep_alive(c))
            r->answer = true;
    forward(w, &r->request, &r->at, visit_keep_alive);
}

void tcp_worker_queries_keep_alive(struct tcp_worker *first, struct host_request *r)
{
    begin(first, &r->request, &r->at, visit_keep_alive);
}

static void visit_cancel_sending(struct message *m, void *owner)
{
    struct tcp_worker *w = owner;
    struct cancel_request *r = (struct cancel_request *)(void *)m;
    struct session *c;

    TAILQ_FOREACH (c, &w->sessions, list_link)
        if (session_files_cancel_sending(c, r))
            r->answer = true;
    forward(w, &r->request, &r->at, visit_cancel_sending);
}

void tcp_worker_queries_cancel_sending(struct tcp_worker *first, struct cancel_request *r)
{
    begin(first, &r->request, &r->at, visit_cancel_sending);
}

static void visit_cancel_receiving(struct message *m, void *owner)
{
    struct tcp_worker *w = owner;
    struct cancel_request *r = (struct cancel_request *)(void *)m;
    struct session *c;

    TAILQ_FOREACH (c, &w->sessions, list_link)
        if (session_files_cancel_receiving(c, r->transfer_id)) {
            r->answer = true;
            break;
        }
    forward(w, &r->request, &r->at, visit_cancel_receiving);
}

void tcp_worker_queries_cancel_receiving(struct tcp_worker *first, struct cancel_request *r)
{
    begin(first, &r->request, &r->at, visit_cancel_receiving);
}

/* Appends a row to the page; NULL if the row is not on it. `array` points to the pointer to the
 * rows, of either type. Out of memory: the page is shorter than `total`. */
static void *next_row(struct list_request *r, void *array, size_t row_size)
{
    size_t index = r->total++;
    char *rows;

    if (index < r->offset || r->count >= r->limit)
        return NULL;
    memcpy(&rows, array, sizeof rows);
    if (r->count == r->capacity) {
        size_t capacity = r->capacity == 0 ? 64 : r->capacity * 2;

        rows = realloc(rows, capacity * row_size);
        if (rows == NULL)
            return NULL;
        memcpy(array, &rows, sizeof rows);
        r->capacity = capacity;
    }
    return rows + r->count++ * row_size;
}

/* The first session of this worker on the page; its files follow the number `*after`. */
static struct session *first_on_page(struct tcp_worker *w, const struct list_request *r,
                                     bool is_of_files, uint64_t *after)
{
    const struct list_cursor *cursor = &r->cursor;
    struct session *c;

    *after = 0;
    if (r->has_cursor && w->config.index < cursor->worker)
        return NULL;
    if (!r->has_cursor || w->config.index > cursor->worker || cursor->session == 0)
        return TAILQ_FIRST(&w->sessions);
    HASH_FIND(hh, w->by_id, &cursor->session, sizeof cursor->session, c);
    if (c != NULL) {
        *after = is_of_files ? cursor->file : 0;
        return is_of_files ? c : TAILQ_NEXT(c, list_link);
    }
    TAILQ_FOREACH (c, &w->sessions, list_link)
        if (c->id > cursor->session)
            break;
    return c;
}

static bool is_page_full(const struct list_request *r)
{
    return r->has_cursor && r->count >= r->limit;
}

static void end_page(struct tcp_worker *w, struct list_request *r, message_fn *query)
{
    if (is_page_full(r))
        request_answer(&r->request, ERR_OK);
    else
        forward(w, &r->request, &r->at, query);
}

static bool is_session_selected(const struct session *c, const struct list_request *r)
{
    if (r->host.family != ADDRESS_NONE && !address_is_equal(&r->host, &c->peer) &&
        !address_is_equal(&r->host, &c->route))
        return false;
    return r->idurl[0] == '\0' || (c->idurl != NULL && strcmp(r->idurl, c->idurl) == 0);
}

static void visit_sessions(struct message *m, void *owner)
{
    struct tcp_worker *w = owner;
    struct list_request *r = (struct list_request *)(void *)m;
    struct session *c;
    uint64_t after;

    for (c = first_on_page(w, r, false, &after); c != NULL && !is_page_full(r);
         c = TAILQ_NEXT(c, list_link)) {
        struct session_info *row;

        if (!is_session_selected(c, r))
            continue;
        row = next_row(r, &r->sessions, sizeof *row);
        if (row == NULL)
            continue;
        session_describe(c, row);
        row->cursor = (struct list_cursor){.worker = w->config.index, .session = c->id};
    }
    end_page(w, r, visit_sessions);
}

void tcp_worker_queries_sessions(struct tcp_worker *first, struct list_request *r)
{
    begin(first, &r->request, &r->at, visit_sessions);
}

static const char *incoming_state(const struct transfer_incoming *in)
{
    return in->is_complete ? "committing" : "receiving";
}

static const char *outgoing_state(const struct transfer_outgoing *out)
{
    switch (out->phase) {
    case OUTGOING_REGISTERING:
        return "registering";
    case OUTGOING_SENDING:
        return "sending";
    default:
        return "ok awaited";
    }
}

static bool is_stream_selected(const struct list_request *r, uint32_t transfer_id,
                               int32_t stream_id, uint64_t send_id)
{
    return (r->transfer_id == 0 || r->transfer_id == transfer_id) &&
           (r->stream_id == 0 || r->stream_id == stream_id) &&
           (r->send_id == 0 || r->send_id == send_id);
}

static void describe_stream(struct stream_info *row, const struct session *c,
                            const struct gateway_transfer *t, uint64_t begun_us,
                            uint64_t done_bytes)
{
    uint64_t now_us = clock_boot_us(), age_us = now_us > begun_us ? now_us - begun_us : 1;

    *row = (struct stream_info){.transfer_id = t->transfer_id,
                                .request_id = t->request_id,
                                .session = c->id,
                                .host = c->peer,
                                .current_bytes = done_bytes,
                                .acknowledged_bytes = done_bytes,
                                .total_bytes = t->size_bytes,
                                .bytes_per_second =
                                    (uint64_t)((double)done_bytes * 1e6 / (double)age_us),
                                .age_us = age_us,
                                .started_at_us = clock_real_us_ago(age_us)};
    snprintf(row->proto, sizeof row->proto, "%s", c->context->transfer.proto);
    snprintf(row->idurl, sizeof row->idurl, "%.*s", (int)sizeof row->idurl - 1, t->idurl);
    snprintf(row->filename, sizeof row->filename, "%.*s", (int)sizeof row->filename - 1,
             t->filename);
}

/* Position in a session's list: incoming files, then outgoing. Unlike an index it does not change
 * when other files end. */
static uint64_t number_in_list(uint64_t number, bool is_outgoing)
{
    return number | (is_outgoing ? UINT64_C(1) << 63 : 0);
}

static void list_incoming(struct session *c, struct list_request *r, struct list_cursor *cursor,
                          uint64_t after)
{
    struct transfer_incoming *in;

    TAILQ_FOREACH (in, &c->incoming.head, link) {
        struct stream_info *row;

        cursor->file = number_in_list(in->number, false);
        if (cursor->file <= after || is_page_full(r) ||
            !is_stream_selected(r, in->transfer.transfer_id, in->file_id, 0))
            continue;
        row = next_row(r, &r->streams, sizeof *row);
        if (row == NULL)
            continue;
        describe_stream(row, c, &in->transfer, in->begun_us, in->file.written_bytes);
        row->cursor = *cursor;
        row->stream_id = in->file_id;
        row->state = incoming_state(in);
    }
}

static void list_outgoing(struct session *c, struct list_request *r, struct list_cursor *cursor,
                          uint64_t after)
{
    uint64_t acknowledged = c->outgoing.count > 0 ? session_core_acknowledged(c) : 0;
    struct transfer_outgoing *out;

    TAILQ_FOREACH (out, &c->outgoing.head, link) {
        struct stream_info *row;

        cursor->file = number_in_list(out->number, true);
        if (cursor->file <= after || is_page_full(r) ||
            !is_stream_selected(r, out->transfer.transfer_id, out->file_id,
                                out->transfer.request_id))
            continue;
        row = next_row(r, &r->streams, sizeof *row);
        if (row == NULL)
            continue;
        describe_stream(row, c, &out->transfer, out->begun_us, out->transfer.done_bytes);
        row->cursor = *cursor;
        row->acknowledged_bytes = transfer_marks_passed(&out->marks, acknowledged);
        row->stream_id = out->file_id;
        row->is_outgoing = true;
        row->state = outgoing_state(out);
    }
}

static void visit_streams(struct message *m, void *owner)
{
    struct tcp_worker *w = owner;
    struct list_request *r = (struct list_request *)(void *)m;
    struct session *c;
    uint64_t after;

    for (c = first_on_page(w, r, true, &after); c != NULL && !is_page_full(r);
         c = TAILQ_NEXT(c, list_link), after = 0) {
        struct list_cursor cursor = {.worker = w->config.index, .session = c->id};

        if (!is_session_selected(c, r))
            continue;
        list_incoming(c, r, &cursor, after);
        list_outgoing(c, r, &cursor, after);
    }
    end_page(w, r, visit_streams);
}

void tcp_worker_queries_streams(struct tcp_worker *first, struct list_request *r)
{
    begin(first, &r->request, &r->at, visit_streams);
}

static void count_sources(struct tcp_worker *w, struct transport_counts *counts)
{
    struct tcp_directory_sources sources = tcp_directory_sources(w->context.directory);

    counts->sessions_half_open = sources.half_open;
    counts->sources_known = sources.known;
}

static void visit_count(struct message *m, void *owner)
{
    struct tcp_worker *w = owner;
    struct counts_request *r = (struct counts_request *)(void *)m;
    struct session *c;

    if (r->counts.workers++ == 0)
        count_sources(w, &r->counts);
    TAILQ_FOREACH (c, &w->sessions, list_link) {
        r->counts.sessions++;
        r->counts.sessions_connected += session_core_state(c) == ST_CONNECTED;
        r->counts.files_in += c->incoming.count;
        r->counts.files_out += c->outgoing.count;
        r->counts.files_waiting += c->waiting.count;
    }
    forward(w, &r->request, &r->at, visit_count);
}

void tcp_worker_queries_count(struct tcp_worker *first, struct counts_request *r)
{
    r->counts = (struct transport_counts){0};
    begin(first, &r->request, &r->at, visit_count);
}
