/* One thread with one loop owns everything here: the HTTP server, the event ring, the table of
 * sends and the waiting calls. No locks are needed.
 *
 * Shutdown has two steps, because requests to the supervisor and the transports can outlive the
 * thread. control_stop answers all waiting calls, closes HTTP and ends the thread; the mailbox
 * stays open. The other threads answer their requests while they stop, and control_close drains
 * these answers, for which there are no calls any more. */
#include "control/control.h"

#include "base/contract.h"
#include "base/log.h"
#include "control/event_ring.h"
#include "control/method_table.h"
#include "control/methods/received.h"
#include "control/quota.h"
#include "control/reply.h"
#include "control/send_table.h"
#include "control/state.h"
#include "control/waiters.h"
#include "http/server.h"
#include "rpc/args.h"
#include "rpc/document.h"
#include "store/outbox/spool.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAILBOX_LIMIT = 8192 + 256, HOUSEKEEPING_MS = 5000 }; /* 256: deferred events */

static const struct control_method *find_method(const char *name)
{
    for (const struct control_method *m = control_methods; m->name != NULL; m++)
        if (strcmp(m->name, name) == 0)
            return m;
    return NULL;
}

static void handle_rpc(void *ctx, struct http_call *call, const char *body, size_t length)
{
    struct control *control = ctx;
    char problem[RPC_REASON_SIZE];
    const struct control_method *method;
    struct rpc_call request;
    struct rpc_args args;

    if (rpc_call_parse(&request, body, length, problem) != ERR_OK) {
        control_reply_fault(call, FAULT_NOT_XMLRPC, "%s", problem);
        return;
    }
    method = find_method(request.method);
    if (control->is_stopping) {
        control_reply_fault(call, FAULT_STOPPING, "the daemon is stopping");
    } else if (method == NULL) {
        control_reply_fault(call, FAULT_NO_METHOD,
                            "unknown method '%.100s': system.listMethods lists them",
                            request.method);
    } else {
        mailbox_drain(loop_mailbox(control->loop)); /* deferred events */
        rpc_args_init(&args, request.params);
        method->run(control, call, &args);
    }
    rpc_call_fini(&request);
}

static const char *const xml_types[] = {"text/xml", "application/xml", NULL};

static const struct http_route routes[] = {
    {.method = "POST",
     .path = "/RPC2",
     .types = xml_types,
     .access = HTTP_ROUTE_TOKEN,
     .handle = handle_rpc},
};

static void receive_event(struct message *m, void *owner)
{
    struct control *control = owner;
    struct event *e = (struct event *)(void *)m;

    control_event_ring_add(control->ring, e, event_sink_take_lost(control->config.events));
    control->has_updates = true;
}

/* A failure is logged once, until it succeeds again. */
static void check_socket_file(struct control *control)
{
    char problem[SETTINGS_TEXT_SIZE * 2];
    bool is_recreated;
    enum err e = http_server_check_socket(control->http, &is_recreated, problem, sizeof problem);

    if (is_recreated)
        log_warning("control socket %s was removed: recreated",
                    control->config.settings.control.socket);
    else if (e != ERR_OK && !control->is_socket_lost)
        log_error(
            "control socket %s was removed and cannot be recreated, so commands cannot reach the "
            "daemon: %s. If its folder was removed, too, restart the daemon",
            control->config.settings.control.socket, problem);
    control->is_socket_lost = e != ERR_OK;
}

static void run_housekeeping(struct timer *timer, void *ctx)
{
    struct control *control = ctx;

    control_send_table_expire(control->sends, loop_now_ms(control->loop));
    outbox_spool_expire(control->spool, loop_now_ms(control->loop));
    check_socket_file(control);
    loop_set_timer(control->loop, timer, HOUSEKEEPING_MS);
}

static void check_socket_now(struct message *m, void *owner)
{
    struct control *control = owner;

    free(m);
    if (!control->is_stopping)
        check_socket_file(control);
}

void control_check_socket(struct control *control)
{
    struct message *m = calloc(1, sizeof *m);

    if (m != NULL && mailbox_post(loop_mailbox(control->loop), m, check_socket_now) != ERR_OK)
        free(m); /* the periodic check will do it */
}

static void start_http(struct http_server *http, const char *where)
{
    enum err e = http_server_start(http);

    if (e != ERR_OK)
        log_error("cannot serve control at %s: %s; restart the daemon", where, err_text(e));
    else
        log_info("control socket %s is open", where);
}

static void started(void *owner)
{
    struct control *control = owner;

    start_http(control->http, control->config.settings.control.socket);
    if (control->http_tcp != NULL)
        start_http(control->http_tcp, control->config.settings.control.listen);
    loop_set_timer(control->loop, &control->housekeeping, HOUSEKEEPING_MS);
}

static void after_turn(void *owner)
{
    struct control *control = owner;

    if (!control->has_updates)
        return;
    control->has_updates = false;
    control_waiters_check(control);
}

/* Answers the calls whose results are available; all others get FAULT_STOPPING. */
static void ended(void *owner)
{
    struct control *control = owner;
    struct control_pending *pending;

    control->is_stopping = true;
    control_waiters_check(control);
    control_waiters_end(control);
    LIST_FOREACH (pending, &control->pending, link) {
        if (pending->call == NULL)
            continue;
        control_reply_fault(
            pending->call, FAULT_STOPPING,
            "the daemon stopped before the call completed: check the result after its restart");
        pending->call = NULL;
    }
    http_server_stop(control->http);
    if (control->http_tcp != NULL)
        http_server_stop(control->http_tcp);
    loop_cancel_timer(control->loop, &control->housekeeping);
}

static enum err open_http(struct control *control, char *problem, size_t problem_room)
{
    const struct settings *s = &control->config.settings;
    struct http_server_config config = {
        .loop = control->loop,
        .routes = {.rows = routes, .count = sizeof routes / sizeof *routes, .ctx = control},
        .socket_path = s->control.socket,
        .group = s->control.group,
        .mode = s->control.mode};
    enum err e = http_server_open(&control->http, &config, problem, problem_room);

    if (e != ERR_OK || !settings_control_address(s, &config.address))
        return e;
    config.socket_path = NULL;
    config.token = s->control.token;
    return http_server_open(&control->http_tcp, &config, problem, problem_room);
}

static enum err open_spool(struct control *control, char *problem, size_t problem_room)
{
    const struct settings *s = &control->config.settings;
    enum err e = outbox_spool_open(&control->spool, control->config.inbox,
                                   (uint64_t)s->outbox.spool_limit_mib << 20);

    if (e != ERR_OK)
        snprintf(problem, problem_room,
                 "cannot use the folder .dustwire/spool in the inbox %s: %s; %s", s->inbox.path,
                 err_text(e),
                 err_advice(e, "change its owner to this user, or move it away: it holds files "
                               "that were being sent"));
    return e;
}

enum err control_open(struct control **out, const struct control_config *config, char *problem,
                      size_t problem_room)
{
    struct control *control = calloc(1, sizeof *control);
    enum err e = ERR_NO_MEMORY;

    problem[0] = '\0';
    if (control == NULL)
        return ERR_NO_MEMORY;
    rpc_library_init();
    control->config = *config;
    snprintf(control->gateway_url, sizeof control->gateway_url, "%s", config->settings.gateway.url);
    LIST_INIT(&control->pending);
    LIST_INIT(&control->waiters);
    control->housekeeping = (struct timer){.fire = run_housekeeping, .ctx = control};
    if ((e = loop_open(&control->loop, &(struct loop_config){.name = "control",
                                                             .mailbox_limit = MAILBOX_LIMIT,
                                                             .owner = control,
                                                             .works_on_files = true,
                                                             .started = started,
                                                             .after_turn = after_turn,
                                                             .ended = ended})) != ERR_OK)
        goto fail;
    if ((e = control_event_ring_open(&control->ring, config->settings.control.events_kept)) !=
        ERR_OK)
        goto fail;
    if ((e = control_send_table_open(&control->sends)) != ERR_OK)
        goto fail;
    if ((e = control_quota_open(&control->quota)) != ERR_OK)
        goto fail;
    if ((e = method_received_reader_open(&control->reader, config->inbox)) != ERR_OK)
        goto fail;
    if ((e = open_spool(control, problem, problem_room)) != ERR_OK)
        goto fail;
    if ((e = open_http(control, problem, problem_room)) != ERR_OK)
        goto fail;
    event_sink_connect(config->events, loop_mailbox(control->loop), receive_event);
    *out = control;
    return ERR_OK;
fail:
    if (problem[0] == '\0')
        snprintf(problem, problem_room, "cannot open the control socket: %s", err_text(e));
    http_server_close(&control->http_tcp);
    http_server_close(&control->http);
    outbox_spool_close(&control->spool);
    method_received_reader_close(&control->reader);
    control_quota_close(&control->quota);
    control_send_table_close(&control->sends);
    control_event_ring_close(&control->ring);
    loop_close(&control->loop);
    rpc_library_fini();
    free(control);
    return e;
}

enum err control_start(struct control *control)
{
    enum err e = method_received_reader_start(control->reader);

    return e == ERR_OK ? loop_start(control->loop) : e;
}

void control_stop(struct control *control)
{
    loop_stop(control->loop);
    method_received_reader_stop(control->reader);
}

void control_close(struct control **control)
{
    struct control *c = *control;

    if (c == NULL)
        return;
    c->is_stopping = true;
    method_received_reader_stop(c->reader); /* still running if control_start failed */
    /* All other threads have ended: no more events, and all answers are in the mailbox. */
    event_sink_connect(c->config.events, NULL, NULL);
    while (mailbox_drain(loop_mailbox(c->loop)) > 0)
        ;
    CONTRACT(c->outstanding == 0);
    http_server_close(&c->http_tcp);
    http_server_close(&c->http);
    outbox_spool_close(&c->spool);
    method_received_reader_close(&c->reader);
    control_quota_close(&c->quota);
    control_send_table_close(&c->sends);
    control_event_ring_close(&c->ring);
    loop_close(&c->loop);
    rpc_library_fini();
    free(c);
    *control = NULL;
}
