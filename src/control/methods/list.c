/* list_sessions, list_streams, find_session, find_stream: a page over all transports in sequence.
 * Each is queried for the rest of the page; its total is subtracted from the offset for the next. A
 * page with fewer items than its limit is the last one. */
#include "base/text.h"
#include "control/methods/methods.h"
#include "control/reply.h"
#include "control/state.h"
#include "rpc/args.h"
#include "rpc/document.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { US_PER_S = 1000000, CURSOR_SIZE = 64 };

struct listing {
    struct list_request request; /* first: the answered message is cast back */
    struct control_pending pending;
    bool is_streams;
    unsigned transport;
    struct list_request filter; /* the query; each transport gets a copy */
    size_t offset, limit;       /* rest of the page */
    bool is_single;             /* find_stream: the first item or nil, not an array */
    uint64_t *ids;              /* streams: of these send requests only; malloc, may be NULL */
    size_t id_count;
    xmlrpc_env env;
    xmlrpc_value *items;
};

static void listing_answered(struct message *m, void *owner);

static void put_address(xmlrpc_env *env, xmlrpc_value *to, const char *name,
                        const struct address *address)
{
    char text[ADDRESS_TEXT_SIZE];

    rpc_put_text(env, to, name, address_text(text, address));
}

static const char *direction_word(bool is_outgoing)
{
    return is_outgoing ? "out" : "in";
}

/* The `cursor` for the page after this item: the transport and the position in it. */
static void put_cursor(xmlrpc_env *env, xmlrpc_value *to, unsigned transport,
                       const struct list_cursor *cursor)
{
    char text[CURSOR_SIZE];

    snprintf(text, sizeof text, "%u.%u.%" PRIu64 ".%" PRIu64, transport, cursor->worker,
             cursor->session, cursor->file);
    rpc_put_text(env, to, "cursor", text);
}

static bool read_cursor(struct listing *l, const char *text)
{
    struct list_cursor *cursor = &l->filter.cursor;
    char rest;

    l->filter.has_cursor = true;
    return text[0] == '\0' || sscanf(text, "%u.%u.%" SCNu64 ".%" SCNu64 "%c", &l->transport,
                                     &cursor->worker, &cursor->session, &cursor->file, &rest) == 4;
}

static xmlrpc_value *session_value(xmlrpc_env *env, const struct session_info *s)
{
    xmlrpc_value *value = rpc_struct(env);

    rpc_put_integer(env, value, "id", (int64_t)s->id);
    rpc_put_text(env, value, "proto", s->proto);
    rpc_put_text(env, value, "state", s->state == NULL ? "" : s->state);
    put_address(env, value, "host", &s->host);
    rpc_put_text(env, value, "idurl", s->idurl);
    rpc_put_text(env, value, "announced", s->announced);
    rpc_put_bool(env, value, "verified", s->is_verified);
    rpc_put_text(env, value, "direction", direction_word(s->is_outgoing));
    rpc_put_integer(env, value, "worker", s->worker);
    rpc_put_integer(env, value, "files_in", s->files_in);
    rpc_put_integer(env, value, "files_out", s->files_out);
    rpc_put_integer(env, value, "files_waiting", s->files_waiting);
    rpc_put_integer(env, value, "bytes_sent", (int64_t)s->bytes_sent);
    rpc_put_integer(env, value, "bytes_received", (int64_t)s->bytes_received);
    rpc_put_integer(env, value, "age_s", (int64_t)(s->age_us / US_PER_S));
    rpc_put_integer(env, value, "opened_at", s->opened_at_us / US_PER_S);
    rpc_put_integer(env, value, "last_activity", s->last_activity_us / US_PER_S);
    return value;
}

static xmlrpc_value *stream_value(xmlrpc_env *env, const struct stream_info *s)
{
    xmlrpc_value *value = rpc_struct(env);

    rpc_put_integer(env, value, "transfer_id", s->transfer_id);
    rpc_put_integer(env, value, "request_id", (int64_t)s->request_id);
    rpc_put_integer(env, value, "stream_id", s->stream_id);
    rpc_put_text(env, value, "proto", s->proto);
    rpc_put_text(env, value, "type", direction_word(s->is_outgoing));
    rpc_put_integer(env, value, "session", (int64_t)s->session);
    put_address(env, value, "host", &s->host);
    rpc_put_integer(env, value, "bytes_current", (int64_t)s->current_bytes);
    rpc_put_integer(env, value, "acknowledged", (int64_t)s->acknowledged_bytes);
    rpc_put_integer(env, value, "bytes_total", (int64_t)s->total_bytes);
    rpc_put_integer(env, value, "bytes_per_second", (int64_t)s->bytes_per_second);
    rpc_put_integer(env, value, "age_s", (int64_t)(s->age_us / US_PER_S));
    rpc_put_integer(env, value, "started_at", s->started_at_us / US_PER_S);
    rpc_put_text(env, value, "state", s->state == NULL ? "" : s->state);
    rpc_put_text(env, value, "idurl", s->idurl);
    rpc_put(env, value, "filename", rpc_path(env, s->filename));
    return value;
}

static bool matches_ids(const struct listing *l, const struct stream_info *s)
{
    if (l->ids == NULL)
        return true;
    for (size_t i = 0; i < l->id_count; i++)
        if (l->ids[i] == s->request_id)
            return true;
    return false;
}

static void add_item(struct listing *l, xmlrpc_value *value, const struct list_cursor *cursor)
{
    put_cursor(&l->env, value, l->transport, cursor);
    rpc_add(&l->env, l->items, value);
}

static void add_items(struct listing *l)
{
    const struct list_request *r = &l->request;

    for (size_t i = 0; i < r->count; i++) {
        if (!l->is_streams)
            add_item(l, session_value(&l->env, &r->sessions[i]), &r->sessions[i].cursor);
        else if (matches_ids(l, &r->streams[i]))
            add_item(l, stream_value(&l->env, &r->streams[i]), &r->streams[i].cursor);
    }
}

static void listing_free(struct listing *l)
{
    rpc_release(&l->items);
    xmlrpc_env_clean(&l->env);
    free(l->ids);
    free(l);
}

static xmlrpc_value *first_or_nil(struct listing *l)
{
    xmlrpc_value *first = NULL;

    if (l->env.fault_occurred)
        return NULL;
    if (xmlrpc_array_size(&l->env, l->items) == 0)
        return rpc_nil(&l->env);
    xmlrpc_array_read_item(&l->env, l->items, 0, &first);
    return first;
}

static void listing_answer(struct listing *l)
{
    xmlrpc_value *value = l->is_single ? first_or_nil(l) : l->items;

    if (!l->is_single)
        l->items = NULL;
    control_reply_value(l->pending.call, &l->env, value);
    xmlrpc_env_init(&l->env);
}

static void listing_end(struct listing *l)
{
    if (l->pending.call != NULL)
        listing_answer(l);
    control_pending_end(&l->pending);
    listing_free(l);
}

static void listing_post(struct listing *l)
{
    struct control *control = l->pending.control;
    const struct transport_row *row = &control->config.transports->rows[l->transport];

    l->request = l->filter;
    l->request.offset = l->offset;
    l->request.limit = l->limit;
    l->request.request =
        (struct request){.answer_to = loop_mailbox(control->loop), .on_answer = listing_answered};
    if (l->is_streams)
        row->ops->list_streams(row->self, &l->request);
    else
        row->ops->list_sessions(row->self, &l->request);
}

static size_t subtract(size_t from, size_t what)
{
    return from > what ? from - what : 0;
}

static void listing_answered(struct message *m, void *owner)
{
    struct listing *l = (struct listing *)(void *)m;
    struct control *control = l->pending.control;
    enum err e = l->request.request.result;

    (void)owner;
    if (e == ERR_OK) {
        add_items(l);
        l->offset = subtract(l->offset, l->request.total);
        l->limit = subtract(l->limit, l->request.count);
    } else if (!l->env.fault_occurred) {
        xmlrpc_env_set_fault(&l->env, FAULT_INTERNAL, err_text(e));
    }
    gateway_list_request_fini(&l->request);
    l->filter.cursor = (struct list_cursor){0}; /* valid for this transport only */
    if (e == ERR_OK && l->limit > 0 && !control->is_stopping &&
        ++l->transport < control->config.transports->count)
        listing_post(l);
    else
        listing_end(l);
}

static struct listing *listing_new(const struct control *control, struct http_call *call,
                                   bool is_streams)
{
    struct listing *l;

    if (!control_pending_has_room(control, call, CONTROL_PENDING_DAEMON))
        return NULL;
    if ((l = calloc(1, sizeof *l)) == NULL) {
        control_reply_fault(call, FAULT_INTERNAL, "the daemon is out of memory");
        return NULL;
    }
    xmlrpc_env_init(&l->env);
    l->is_streams = is_streams;
    l->limit = METHOD_PAGE_MAX;
    return l;
}

/* Takes ownership of `l`, whose parameters have been read. */
static void listing_begin(struct control *control, struct http_call *call, struct listing *l,
                          struct rpc_args *args)
{
    if (!rpc_args_end(args)) {
        control_reply_fault(call, FAULT_PARAMETERS, "%s", args->problem);
        listing_free(l);
        return;
    }
    l->items = rpc_array(&l->env);
    control_pending_begin(&l->pending, control, call, CONTROL_PENDING_DAEMON);
    if (l->transport >= control->config.transports->count)
        listing_end(l);
    else
        listing_post(l);
}

static void list_page(struct control *control, struct http_call *call, struct rpc_args *args,
                      bool is_streams)
{
    struct listing *l = listing_new(control, call, is_streams);
    int64_t offset = 0, limit = METHOD_PAGE_MAX;
    char *cursor = NULL;

    if (l == NULL)
        return;
    rpc_args_integer(args, "offset", false, 0, INT32_MAX, &offset);
    rpc_args_integer(args, "limit", false, 1, METHOD_PAGE_MAX, &limit);
    if (is_streams)
        rpc_args_ids(args, "ids", false, METHOD_PAGE_MAX, &l->ids, &l->id_count);
    rpc_args_text(args, "cursor", false, &cursor);
    if (cursor != NULL && !read_cursor(l, cursor))
        rpc_args_error(args, "invalid cursor: expected the cursor of a returned item, or ''");
    if (cursor != NULL && offset != 0)
        rpc_args_error(args, "parameter 1, offset, cannot be used with a cursor");
    free(cursor);
    l->offset = (size_t)offset;
    l->limit = l->id_count > 1 ? METHOD_FILTERED_MAX : (size_t)limit;
    if (l->id_count == 1)
        l->filter.send_id = l->ids[0];
    listing_begin(control, call, l, args);
}

void method_list_sessions(struct control *control, struct http_call *call, struct rpc_args *args)
{
    list_page(control, call, args, false);
}

void method_list_streams(struct control *control, struct http_call *call, struct rpc_args *args)
{
    list_page(control, call, args, true);
}

/* Sessions are found by address; names are not resolved. */
static void parse_host(struct rpc_args *args, const char *text, struct address *host)
{
    struct contact contact;

    if (args->problem[0] != '\0' || text == NULL)
        return;
    if (contact_parse(&contact, text) != ERR_OK ||
        address_from_ip_text(host, contact.host, contact.port) != ERR_OK)
        snprintf(args->problem, sizeof args->problem,
                 "invalid session address '%.200s': expected ip:port, as in list_sessions", text);
}

void method_find_session(struct control *control, struct http_call *call, struct rpc_args *args)
{
    struct listing *l = listing_new(control, call, false);
    char *host = NULL, *idurl = NULL;

    if (l == NULL)
        return;
    rpc_args_host(args, "host", false, &host);
    rpc_args_text(args, "idurl", false, &idurl);
    parse_host(args, host, &l->filter.host);
    if (idurl != NULL && text_copy(l->filter.idurl, sizeof l->filter.idurl, idurl) != ERR_OK &&
        args->problem[0] == '\0')
        snprintf(args->problem, sizeof args->problem, "the idurl is longer than %zu bytes",
                 sizeof l->filter.idurl - 1);
    free(host);
    free(idurl);
    listing_begin(control, call, l, args);
}

void method_find_stream(struct control *control, struct http_call *call, struct rpc_args *args)
{
    struct listing *l = listing_new(control, call, true);
    int64_t stream_id = 0, transfer_id = 0;

    if (l == NULL)
        return;
    rpc_args_integer(args, "stream_id", false, 1, INT32_MAX, &stream_id);
    rpc_args_integer(args, "transfer_id", false, 1, GATEWAY_ID_MAX, &transfer_id);
    if (args->problem[0] == '\0' && stream_id == 0 && transfer_id == 0)
        snprintf(args->problem, sizeof args->problem,
                 "missing parameter: stream_id or transfer_id is required");
    l->filter.stream_id = (int32_t)stream_id;
    l->filter.transfer_id = (uint32_t)transfer_id;
    l->is_single = true;
    l->limit = 1;
    listing_begin(control, call, l, args);
}
