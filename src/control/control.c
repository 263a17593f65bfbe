/* One thread, one loop, everything in it: the HTTP server, the ring of events, the table of sends,
 * the calls that wait. So there is no lock here.
 *
 * The end has two steps, because requests of ours may still be with the supervisor and the
 * transports when the thread ends. control_stop answers everybody who waits, closes HTTP and ends
 * the thread; the mailbox stays open. The rooms below answer what they have while they stop, and
 * control_close delivers those answers to a control that has nobody to tell. */
#include "control/control.h"

#include "base/contract.h"
#include "base/log.h"
#include "control/event_ring.h"
#include "control/held.h"
#include "control/method_table.h"
#include "control/methods/received.h"
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

enum { MAILBOX_LIMIT = 8192 + 256, LOOK_MS = 5000 }; /* 256: events may wait unheard */

static const struct control_method *find_method(const char *name)
{
    for (const struct control_method *m = control_methods; m->name != NULL; m++)
        if (strcmp(m->name, name) == 0)
            return m;
    return NULL;
}

static void rpc_called(void *ctx, struct http_call *call, const char *body, size_t length)
{
    struct control *control = ctx;
    char problem[RPC_REASON_SIZE];
    const struct control_method *method;
    struct rpc_call question;
    struct rpc_args args;

    if (rpc_call_parse(&question, body, length, problem) != ERR_OK) {
        control_reply_fault(call, FAULT_NOT_XMLRPC, "%s", problem);
        return;
    }
    method = find_method(question.method);
    if (control->is_stopping) {
        control_reply_fault(call, FAULT_STOPPING, "the daemon is stopping");
    } else if (method == NULL) {
        control_reply_fault(call, FAULT_NO_METHOD,
                            "there is no method '%.100s': system.listMethods names them",
                            question.method);
    } else {
        mailbox_drain(loop_mailbox(control->loop)); /* events that were in no hurry */
        rpc_args_init(&args, question.params);
        method->run(control, call, &args);
    }
    rpc_call_fini(&question);
}

static const char *const xml_types[] = {"text/xml", "application/xml", NULL};

static const struct http_route routes[] = {
    {.method = "POST",
     .path = "/RPC2",
     .types = xml_types,
     .access = HTTP_ROUTE_TOKEN,
     .handle = rpc_called},
};

static void take_event(struct message *m, void *owner)
{
    struct control *control = owner;
    struct event *e = (struct event *)(void *)m;

    control_event_ring_add(control->ring, e, event_sink_take_lost(control->config.events));
    control->has_news = true;
}

/* Said once, until it is well again. */
static void keep_reachable(struct control *control)
{
    char problem[SETTINGS_TEXT_SIZE * 2];
    bool is_recreated;
    enum err e = http_server_check_socket(control->http, &is_recreated, problem, sizeof problem);

    if (is_recreated)
        log_warning("control socket %s was removed: it has been made again",
                    control->config.settings.control.socket);
    else if (e != ERR_OK && !control->is_unreachable)
        log_error("control socket %s was removed, and no command reaches the daemon: %s. If its "
                  "folder was removed, too, restart the daemon",
                  control->config.settings.control.socket, problem);
    control->is_unreachable = e != ERR_OK;
}

static void look(struct timer *timer, void *ctx)
{
    struct control *control = ctx;

    control_send_table_expire(control->sends, loop_now_ms(control->loop));
    outbox_spool_expire(control->spool, loop_now_ms(control->loop));
    keep_reachable(control);
    loop_set_timer(control->loop, timer, LOOK_MS);
}

static void look_now(struct message *m, void *owner)
{
    struct control *control = owner;

    free(m);
    if (!control->is_stopping)
        keep_reachable(control);
}

void control_look(struct control *control)
{
    struct message *m = calloc(1, sizeof *m);

    if (m != NULL && mailbox_post(loop_mailbox(control->loop), m, look_now) != ERR_OK)
        free(m); /* it looks by itself, too */
}

static void start_http(struct http_server *http, const char *where)
{
    enum err e = http_server_start(http);

    if (e != ERR_OK)
        log_error("control at %s cannot be served: %s; restart the daemon", where, err_text(e));
    else
        log_info("control socket %s is open", where);
}

static void started(void *owner)
{
    struct control *control = owner;

    start_http(control->http, control->config.settings.control.socket);
    if (control->http_tcp != NULL)
        start_http(control->http_tcp, control->config.settings.control.listen);
    loop_set_timer(control->loop, &control->looking, LOOK_MS);
}

static void after_turn(void *owner)
{
    struct control *control = owner;

    if (!control->has_news)
        return;
    control->has_news = false;
    control_waiters_look(control);
}

/* Whoever waits for an outcome that is known by now gets it, the others hear that we stop. */
static void ended(void *owner)
{
    struct control *control = owner;
    struct control_asked *asked;

    control->is_stopping = true;
    control_waiters_look(control);
    control_waiters_end(control);
    LIST_FOREACH (asked, &control->asked, link) {
        if (asked->call == NULL)
            continue;
        control_reply_fault(
            asked->call, FAULT_STOPPING,
            "the daemon stopped before the answer was there: look again when it is back");
        asked->call = NULL;
    }
    http_server_stop(control->http);
    if (control->http_tcp != NULL)
        http_server_stop(control->http_tcp);
    loop_cancel_timer(control->loop, &control->looking);
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
                 "the folder .dustwire/spool in the inbox %s cannot be used: %s; %s", s->inbox.path,
                 err_text(e),
                 err_advice(e, "give it to this user, or move it away: what stands in it was on "
                               "its way out"));
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
    LIST_INIT(&control->asked);
    LIST_INIT(&control->waiters);
    control->looking = (struct timer){.fire = look, .ctx = control};
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
    if ((e = control_held_open(&control->held)) != ERR_OK)
        goto fail;
    if ((e = method_received_reader_open(&control->reader, config->inbox)) != ERR_OK)
        goto fail;
    if ((e = open_spool(control, problem, problem_room)) != ERR_OK)
        goto fail;
    if ((e = open_http(control, problem, problem_room)) != ERR_OK)
        goto fail;
    event_sink_connect(config->events, loop_mailbox(control->loop), take_event);
    *out = control;
    return ERR_OK;
fail:
    if (problem[0] == '\0')
        snprintf(problem, problem_room, "the control socket cannot be opened: %s", err_text(e));
    http_server_close(&control->http_tcp);
    http_server_close(&control->http);
    outbox_spool_close(&control->spool);
    method_received_reader_close(&control->reader);
    control_held_close(&control->held);
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
    method_received_reader_stop(c->reader); /* it runs still if the thread could not be started */
    /* The others have ended: nobody emits any more, and every request is back or in the mailbox. */
    event_sink_connect(c->config.events, NULL, NULL);
    while (mailbox_drain(loop_mailbox(c->loop)) > 0)
        ;
    CONTRACT(c->away == 0);
    http_server_close(&c->http_tcp);
    http_server_close(&c->http);
    outbox_spool_close(&c->spool);
    method_received_reader_close(&c->reader);
    control_held_close(&c->held);
    control_send_table_close(&c->sends);
    control_event_ring_close(&c->ring);
    loop_close(&c->loop);
    rpc_library_fini();
    free(c);
    *control = NULL;
}
