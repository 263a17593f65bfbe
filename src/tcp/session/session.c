#include "tcp/session/session.h"

#include "base/clock.h"
#include "base/contract.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/random.h"
#include "base/text.h"
#include "tcp/automata.h"
#include "tcp/session/core.h"
#include "tcp/session/files.h"
#include "tcp/session/handshake.h"
#include "tcp/session/io.h"
#include "tcp/session/limits.h"
#include "tcp/session/time.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    LOGGED_IDURL = 256, /* bytes of a peer's identity in a log line */
    FILE_ID_SPREAD = 1 << 30,
};

static const char *idurl_of(const struct session *c)
{
    return c->idurl == NULL ? "" : c->idurl;
}

static void emit(const struct session *c, enum event_kind kind, const char *reason)
{
    struct event *e = event_new(kind, idurl_of(c), NULL, reason);

    if (e == NULL)
        return;
    e->session = c->id;
    e->is_outgoing = c->is_outgoing;
    e->bytes_sent = c->writer.sent_bytes;
    e->bytes_received = c->received_bytes;
    address_text(e->host, &c->peer);
    snprintf(e->proto, sizeof e->proto, "%s", c->context->transfer.proto);
    event_emit(c->context->transfer.events, e);
}

/* Requests of the worker. */

void session_drain(struct session *c)
{
    c->is_draining = true;
    session_files_fail_waiting(c, "disconnecting", false);
    if (session_core_state(c) == ST_CONNECTED)
        session_core_wake(c);
    else
        session_core_disconnect(c, "disconnecting");
}

bool session_keep_alive(struct session *c)
{
    return automat_feed(&c->automat, EV_SEND_KEEP_ALIVE, NULL);
}

void session_settings_changed(struct session *c)
{
    const char *why = c->is_ending ? NULL : session_limits_access_refusal(c);

    if (c->link.fd >= 0)
        session_io_set_options(c);
    if (why != NULL)
        session_core_disconnect(c, why);
    else if (session_core_state(c) == ST_CONNECTED)
        session_core_set_timer(c, SESSION_CHECK_MS);
}

/* The actions, in the order of the table. */

static bool is_incoming(const void *self, const void *arg)
{
    (void)arg;
    return !((const struct session *)self)->is_outgoing;
}

static bool is_outgoing(const void *self, const void *arg)
{
    (void)arg;
    return ((const struct session *)self)->is_outgoing;
}

static bool is_hello(const void *self, const void *arg)
{
    const struct frame_piece *piece = arg;
    struct hello hello;

    return piece->kind == FRAME_PIECE_CONTROL && piece->command == FRAME_HELLO &&
           hello_parse(&hello, piece->bytes, piece->length) == ERR_OK &&
           session_limits_is_idurl_allowed(self, hello.idurl, hello.idurl_length);
}

static bool is_wazap(const void *self, const void *arg)
{
    const struct frame_piece *piece = arg;

    return piece->kind == FRAME_PIECE_CONTROL && piece->command == FRAME_WAZAP &&
           session_limits_is_idurl_allowed(self, piece->bytes, piece->length);
}

static void do_init(void *self, const void *arg)
{
    struct session *c = self;

    (void)arg;
    metrics_add(c->is_outgoing ? METRIC_SESSIONS_DIALLED : METRIC_SESSIONS_ACCEPTED, 1);
    session_core_set_timer(c, c->context->settings.sessions.handshake_timeout_s * 1000ull);
    session_core_log(LOG_LEVEL_DEBUG, c, c->is_outgoing ? "connected" : "accepted");
    emit(c, EVENT_SESSION_OPENED, NULL);
}

static void do_close_outgoing(void *self, const void *arg)
{
    struct session *c = self;

    (void)arg;
    c->is_connecting = false;
    c->context->callbacks->connection_done(c->context->callbacks_ctx);
}

static struct host_request *take_waiter(struct session *c)
{
    struct message *m = STAILQ_FIRST(&c->waiters);

    if (m != NULL)
        STAILQ_REMOVE_HEAD(&c->waiters, link);
    return (struct host_request *)(void *)m;
}

static void answer_waiters(struct session *c)
{
    struct host_request *r;

    while ((r = take_waiter(c)) != NULL) {
        r->answer = false;
        r->session = c->id;
        request_answer(&r->request, ERR_OK);
    }
}

/* No handshake: the requests try the next address of their host. */
static void reroute_waiters(struct session *c)
{
    struct host_request *r;

    while ((r = take_waiter(c)) != NULL) {
        snprintf(r->error, sizeof r->error, "%s", session_core_reason(c));
        c->context->callbacks->route_host_next(c->context->callbacks_ctx, r);
    }
}

static void do_open_stream(void *self, const void *arg)
{
    struct session *c = self;
    char peer[ADDRESS_TEXT_SIZE], room[ADDRESS_TEXT_SIZE];
    const char *announced = session_handshake_announced(c, room);

    (void)arg;
    tcp_directory_connected(c->context->directory, c->id,
                            session_core_is_routed(c) ? &c->route : NULL);
    log_life(LOG_LEVEL_INFO, c->id, address_text(peer, &c->peer),
             "session opened: %s idurl=%.*s announced=%s%s",
             c->is_outgoing ? "outgoing" : "incoming", LOGGED_IDURL,
             c->idurl == NULL ? "-" : c->idurl, announced[0] == '\0' ? "-" : announced,
             announced[0] != '\0' && !session_core_is_routed(c) ? " (unverified)" : "");
    session_core_set_timer(c, SESSION_CHECK_MS);
    answer_waiters(c);
    emit(c, EVENT_SESSION_IDENTIFIED, NULL);
    session_core_wake(c);
}

static void do_start_pending_files(void *self, const void *arg)
{
    (void)arg;
    session_files_start_pending(self);
}

static void do_receive_data(void *self, const void *arg)
{
    struct session *c = self;

    session_files_receive(c, arg);
}

/* The error of a lost session's files: BitDust's text if the peer closed it. */
static const char *lost_reason(const struct session *c)
{
    return c->is_peer_gone ? session_core_reason(c) : "connection closed";
}

static void do_stop_in_out_files(void *self, const void *arg)
{
    struct session *c = self;

    (void)arg;
    /* Abort frames only if we end the session: otherwise there is no peer to receive them. */
    if (session_core_state(c) == ST_DISCONNECT)
        session_files_stop(c, c->reason == NULL ? "disconnecting" : c->reason, true);
    else
        session_files_stop(c, lost_reason(c), false);
}

static void do_close_stream(void *self, const void *arg)
{
    struct session *c = self;

    (void)arg;
    tcp_directory_hide(c->context->directory, c->id);
}

static void log_rejection(struct session *c)
{
    char peer[ADDRESS_TEXT_SIZE];

    metrics_add(METRIC_HANDSHAKES_FAILED, 1);
    log_life(LOG_LEVEL_INFO, c->id, address_text(peer, &c->peer),
             "session refused: handshake failed: %s", session_core_reason(c));
}

/* Fails the sends of a session without a handshake. */
static void fail_unconnected(struct session *c)
{
    char reason[GATEWAY_TRANSFER_ERROR_SIZE];

    snprintf(reason, sizeof reason, "connection failed: %s", session_core_reason(c));
    session_files_fail_waiting(c, reason, true);
}

static void do_disconnect(void *self, const void *arg)
{
    struct session *c = self;
    const struct frame_piece *piece = arg;
    bool is_ours = c->is_ending; /* not a bad frame or a timeout of the peer */
    char reason[SESSION_REASON_MAX + 1] = "disconnected";

    c->is_ending = true;
    if (piece != NULL)
        session_limits_reject(c, piece, reason, sizeof reason);
    session_core_set_reason(c, reason);
    tcp_directory_hide(c->context->directory, c->id);
    if (!c->was_open)
        log_rejection(c);
    if (c->was_open || is_ours)
        session_files_fail_waiting(c, "disconnected", !c->was_open);
    else
        fail_unconnected(c);
    reroute_waiters(c);
    c->linger = (struct session_linger){.decided_ms = loop_now_ms(c->context->loop)};
    session_core_set_timer(c, c->context->settings.sessions.linger_ms);
    session_core_wake(c);
}

static void log_closed(const struct session *c)
{
    char peer[ADDRESS_TEXT_SIZE];

    log_life(LOG_LEVEL_INFO, c->id, address_text(peer, &c->peer),
             "session closed: sent=%" PRIu64 " received=%" PRIu64 " seconds=%.3f reason=\"%s\"",
             c->writer.sent_bytes, c->received_bytes,
             (double)(clock_boot_us() - c->opened_us) / 1e6, session_core_reason(c));
}

/* Unregisters the session from timer, poller and directory; the worker frees it after the turn. */
static void release(struct session *c)
{
    loop_cancel_timer(c->context->loop, &c->timer);
    if (c->link.fd >= 0) {
        loop_remove(c->context->loop, &c->watch);
        session_link_close(&c->link);
    }
    tcp_directory_leave(c->context->directory, c->id);
    c->context->callbacks->closed(c->context->callbacks_ctx, c);
}

static void do_destroy_me(void *self, const void *arg)
{
    struct session *c = self;
    bool was_open = c->was_open;

    (void)arg;
    c->is_ending = true;
    session_core_set_reason(c, "connection lost");
    if (was_open)
        log_closed(c);
    else if (!c->is_shut)
        session_core_log(LOG_LEVEL_DEBUG, c, session_core_reason(c));
    if (was_open)
        session_files_fail_waiting(c, lost_reason(c), false);
    else
        fail_unconnected(c);
    reroute_waiters(c);
    metrics_add(METRIC_SESSIONS_CLOSED, 1);
    emit(c, EVENT_SESSION_CLOSED, session_core_reason(c));
    release(c);
}

static void do_send_hello(void *self, const void *arg)
{
    (void)arg;
    session_handshake_send_hello(self);
}

static void do_send_wazap(void *self, const void *arg)
{
    (void)arg;
    session_handshake_send_wazap(self);
}

static void do_read_hello(void *self, const void *arg)
{
    session_handshake_read_hello(self, arg);
}

static void do_read_wazap(void *self, const void *arg)
{
    session_handshake_read_wazap(self, arg);
}

/* The state machine (docs/automata.md). */

static const struct automat_row rows[] = {
    /* clang-format off */
    /* from            event                guard                     to              actions, left to right */
    { ST_AT_STARTUP,  EV_CONNECTION_MADE,  AUTOMAT_IF(is_incoming),  ST_SERVER,      { AUTOMAT_DO(do_init) } },
    { ST_AT_STARTUP,  EV_CONNECTION_MADE,  AUTOMAT_IF(is_outgoing),  ST_CLIENT,      { AUTOMAT_DO(do_init), AUTOMAT_DO(do_close_outgoing), AUTOMAT_DO(do_send_hello) } },
    { ST_SERVER,      EV_DATA_RECEIVED,    AUTOMAT_IF(is_hello),     ST_CONNECTED,   { AUTOMAT_DO(do_read_hello), AUTOMAT_DO(do_send_wazap), AUTOMAT_DO(do_open_stream), AUTOMAT_DO(do_start_pending_files) } },
    { ST_SERVER,      EV_DATA_RECEIVED,    AUTOMAT_ALWAYS,           ST_DISCONNECT,  { AUTOMAT_DO(do_disconnect) } },
    { ST_SERVER,      EV_TIMER_10SEC,      AUTOMAT_ALWAYS,           ST_DISCONNECT,  { AUTOMAT_DO(do_disconnect) } },
    { ST_SERVER,      EV_DISCONNECT,       AUTOMAT_ALWAYS,           ST_DISCONNECT,  { AUTOMAT_DO(do_disconnect) } },
    { ST_SERVER,      EV_CONNECTION_LOST,  AUTOMAT_ALWAYS,           ST_CLOSED,      { AUTOMAT_DO(do_destroy_me) } },
    { ST_CLIENT,      EV_DATA_RECEIVED,    AUTOMAT_IF(is_wazap),     ST_CONNECTED,   { AUTOMAT_DO(do_read_wazap), AUTOMAT_DO(do_open_stream), AUTOMAT_DO(do_start_pending_files) } },
    { ST_CLIENT,      EV_DATA_RECEIVED,    AUTOMAT_ALWAYS,           ST_DISCONNECT,  { AUTOMAT_DO(do_disconnect) } },
    { ST_CLIENT,      EV_TIMER_10SEC,      AUTOMAT_ALWAYS,           ST_DISCONNECT,  { AUTOMAT_DO(do_disconnect) } },
    { ST_CLIENT,      EV_DISCONNECT,       AUTOMAT_ALWAYS,           ST_DISCONNECT,  { AUTOMAT_DO(do_disconnect) } },
    { ST_CLIENT,      EV_CONNECTION_LOST,  AUTOMAT_ALWAYS,           ST_CLOSED,      { AUTOMAT_DO(do_destroy_me) } },
    { ST_CONNECTED,   EV_DATA_RECEIVED,    AUTOMAT_ALWAYS,           ST_CONNECTED,   { AUTOMAT_DO(do_receive_data) } },
    { ST_CONNECTED,   EV_SEND_KEEP_ALIVE,  AUTOMAT_ALWAYS,           ST_CONNECTED,   { AUTOMAT_DO(do_send_wazap) } },
    { ST_CONNECTED,   EV_DISCONNECT,       AUTOMAT_ALWAYS,           ST_DISCONNECT,  { AUTOMAT_DO(do_stop_in_out_files), AUTOMAT_DO(do_close_stream), AUTOMAT_DO(do_disconnect) } },
    { ST_CONNECTED,   EV_CONNECTION_LOST,  AUTOMAT_ALWAYS,           ST_CLOSED,      { AUTOMAT_DO(do_stop_in_out_files), AUTOMAT_DO(do_close_stream), AUTOMAT_DO(do_destroy_me) } },
    { ST_DISCONNECT,  EV_CONNECTION_LOST,  AUTOMAT_ALWAYS,           ST_CLOSED,      { AUTOMAT_DO(do_destroy_me) } },
    /* clang-format on */
};

static const char *const state_names[] = {
#define X(name, text) text,
    SESSION_STATES(X)
#undef X
};
static const char *const event_names[] = {
#define X(name, text) text,
    SESSION_EVENTS(X)
#undef X
};

/* Remembers a completed handshake: failures before and after it are handled differently. */
static void stepped(void *self, uint8_t from, uint8_t event, uint8_t to)
{
    struct session *c = self;

    (void)event;
    if (from != ST_CONNECTED && to == ST_CONNECTED)
        c->was_open = true;
}

const struct automat_kind session_kind = {
    .name = "tcp_connection",
    .state_names = state_names,
    .event_names = event_names,
    .state_count = ST_COUNT,
    .event_count = EV_COUNT,
    .first = ST_AT_STARTUP,
    .last = ST_CLOSED,
    .rows = rows,
    .row_count = sizeof rows / sizeof *rows,
    .stepped = stepped,
};

/* The turn. */

/* The connect failed. */
static void connect_failed(struct session *c)
{
    char peer[ADDRESS_TEXT_SIZE];

    log_life(LOG_LEVEL_INFO, c->id, address_text(peer, &c->peer), "connection failed: %s",
             session_core_reason(c));
    metrics_add(METRIC_HANDSHAKES_FAILED, 1);
    tcp_directory_hide(c->context->directory, c->id);
    fail_unconnected(c);
    reroute_waiters(c);
    release(c);
}

/* Continues the connect. False: it failed, and the session is closed. */
static bool start(struct session *c)
{
    if (!c->is_ending)
        session_io_handshake(c);
    if (session_core_state(c) == ST_AT_STARTUP)
        session_time_check(c);
    if (!c->is_ending || session_core_state(c) != ST_AT_STARTUP)
        return true;
    if (c->link.fd >= 0 || c->is_connecting) {
        c->is_connecting = false;
        connect_failed(c);
    }
    return false;
}

static uint64_t transferred_bytes(const struct session *c)
{
    return c->received_bytes + c->writer.sent_bytes;
}

void session_turn(struct session *c)
{
    uint64_t before;

    MAGIC_CHECK(c, SESSION_CORE_MAGIC);
    if (session_core_state(c) == ST_CLOSED || (session_core_state(c) == ST_AT_STARTUP && !start(c)))
        return;
    before = transferred_bytes(c);
    c->is_limited_in = c->is_limited_out = false;
    session_io_read(c);
    if (c->is_evicting)
        session_limits_finish_eviction(c);
    session_time_check(c);
    if (session_core_state(c) == ST_CONNECTED)
        session_files_turn(c);
    if (session_core_state(c) != ST_CLOSED)
        session_io_write(c);
    if (session_core_state(c) == ST_CONNECTED && (session_files_is_busy(c) || c->is_ack_pending))
        session_core_check_soon(c, SESSION_CHECK_MS);
    session_io_schedule(c, transferred_bytes(c) > before);
}

/* Creation and destruction. */

static int32_t first_file_id(bool is_outgoing)
{
    uint32_t random;

    random_fill(&random, sizeof random);
    return (int32_t)(SESSION_FILE_ID_FIRST + (random % FILE_ID_SPREAD / 2) * 2 +
                     (is_outgoing ? 0 : 1));
}

static struct session *blank(struct tcp_context *context, uint64_t id, const struct address *peer)
{
    struct session *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    c->magic = SESSION_CORE_MAGIC;
    c->context = context;
    c->id = id;
    c->peer = *peer;
    session_link_init(&c->link);
    c->watch = (struct watch){.fd = -1, .ready = session_io_ready, .ctx = c};
    c->timer = (struct timer){.fire = session_time_fired, .ctx = c};
    c->opened_us = clock_boot_us();
    c->activity_ms = c->received_ms = loop_now_ms(context->loop);
    frame_decoder_init(&c->decoder, context->settings.sessions.control_frame_limit_bytes);
    session_writer_init(&c->writer, loop_now_ms(context->loop));
    TAILQ_INIT(&c->incoming.head);
    TAILQ_INIT(&c->outgoing.head);
    session_send_queue_init(&c->waiting);
    STAILQ_INIT(&c->waiters);
    automat_init(&c->automat, &session_kind, c);
    return c;
}

enum err session_accept(struct session **out, struct tcp_context *context, uint64_t id, int fd,
                        const struct address *peer)
{
    struct session *c = blank(context, id, peer);
    enum err e = c == NULL ? ERR_NO_MEMORY : session_io_accept(c, fd);

    if (e != ERR_OK) {
        close(fd);
        tcp_directory_leave(context->directory, id);
        free(c);
        return e;
    }
    c->next_file_id = first_file_id(false);
    *out = c;
    session_core_set_timer(c, context->settings.sessions.handshake_timeout_s * 1000ull);
    session_io_handshake(c);
    return ERR_OK;
}

enum err session_dial(struct session **out, struct tcp_context *context, uint64_t id,
                      const struct address *peer)
{
    struct session *c = blank(context, id, peer);
    const char *why;
    enum err e;

    if (c == NULL)
        return ERR_NO_MEMORY;
    c->is_outgoing = c->is_connecting = true;
    c->next_file_id = first_file_id(true);
    *out = c;
    session_core_set_timer(c, context->settings.sessions.connect_timeout_s * 1000ull);
    why = session_limits_access_refusal(c);
    if (why == NULL && (e = session_io_connect(c)) != ERR_OK)
        why = err_text(e);
    if (why != NULL)
        session_core_disconnect(c, why);
    return ERR_OK;
}

void session_free(struct session **session)
{
    struct session *c = *session;

    if (c == NULL)
        return;
    MAGIC_CHECK(c, SESSION_CORE_MAGIC);
    CONTRACT(c->link.fd < 0 && c->incoming.count == 0 && c->outgoing.count == 0 &&
             c->waiting.count == 0);
    frame_decoder_fini(&c->decoder);
    session_writer_fini(&c->writer);
    free(c->idurl);
    free(c->announced);
    free(c->reason);
    free(c->aborted);
    c->magic = 0;
    free(c);
    *session = NULL;
}

/* Queries. */

void session_add_waiter(struct session *c, struct host_request *r)
{
    if (session_core_state(c) == ST_CONNECTED) {
        r->answer = true;
        r->session = c->id;
        request_answer(&r->request, ERR_OK);
    } else if (c->is_ending && session_core_state(c) != ST_AT_STARTUP) {
        snprintf(r->error, sizeof r->error, "%s", session_core_reason(c));
        request_answer(&r->request, ERR_CLOSED);
    } else {
        STAILQ_INSERT_TAIL(&c->waiters, &r->request.message, link);
    }
}

void session_describe(const struct session *c, struct session_info *out)
{
    uint64_t quiet_ms = loop_now_ms(c->context->loop) - c->activity_ms;
    uint64_t age_us = clock_boot_us() - c->opened_us;
    char room[ADDRESS_TEXT_SIZE];

    *out = (struct session_info){.id = c->id,
                                 .state = automat_state_name(&c->automat),
                                 .host = c->peer,
                                 .is_verified = session_core_is_routed(c),
                                 .is_outgoing = c->is_outgoing,
                                 .worker = c->context->worker,
                                 .files_in = c->incoming.count,
                                 .files_out = c->outgoing.count,
                                 .files_waiting = c->waiting.count,
                                 .bytes_sent = c->writer.sent_bytes,
                                 .bytes_received = c->received_bytes,
                                 .age_us = age_us,
                                 .opened_at_us = clock_real_us_ago(age_us),
                                 .last_activity_us = clock_real_us_ago(quiet_ms * 1000)};
    snprintf(out->proto, sizeof out->proto, "%s", c->context->transfer.proto);
    snprintf(out->announced, sizeof out->announced, "%.*s", (int)sizeof out->announced - 1,
             session_handshake_announced(c, room));
    snprintf(out->idurl, sizeof out->idurl, "%.*s", (int)sizeof out->idurl - 1, idurl_of(c));
}
