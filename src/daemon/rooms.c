#include "daemon/rooms.h"

#include "daemon/limits.h"
#include "gateway_client/replay.h"

#include "base/log.h"
#include "store/inbox/access.h"
#include "store/outbox/outbox.h"
#include "supervisor/automata.h"
#include "tcp/automata.h"

#include <stdlib.h>

enum {
    AUTOMATA_COUNT = 3,
    STEP_LIMIT_S = 30, /* of a step of the stop, without the time for files to finish */
};

static const struct automat_kind *const automata[AUTOMATA_COUNT] = {
    &session_kind, &network_transport_kind, &network_connector_kind};

/* The supervisor has logged the result, except of a reload that a stop precedes. */
static void signal_answered(struct message *m, void *owner)
{
    struct supervisor_request *r = (struct supervisor_request *)(void *)m;
    struct rooms *rooms = owner;

    if (r->type == SUPERVISOR_STOP && !rooms->is_stopped)
        stop_limit_step(&rooms->stop_limit, "transfers in progress and their sessions",
                        r->in_force.settings.sessions.stop_timeout_s + STEP_LIMIT_S);
    free(r);
}

static void post_to_supervisor(struct rooms *rooms, enum supervisor_request_type type)
{
    struct supervisor_request *r = calloc(1, sizeof *r);

    if (r == NULL) {
        log_error("signal dropped: %s", err_text(ERR_NO_MEMORY));
        return;
    }
    r->type = type;
    r->request.answer_to = loop_mailbox(rooms->loop);
    r->request.on_answer = signal_answered;
    if (supervisor_post(rooms->supervisor, r) != ERR_OK) {
        log_warning("signal dropped: supervisor queue full or shutting down");
        free(r);
    } else if (type == SUPERVISOR_STOP) {
        stop_limit_step(&rooms->stop_limit, "the supervisor", STEP_LIMIT_S);
    }
}

void rooms_reload(struct rooms *rooms)
{
    control_check_socket(rooms->control);
    post_to_supervisor(rooms, SUPERVISOR_RELOAD);
}

void rooms_begin_stop(struct rooms *rooms)
{
    post_to_supervisor(rooms, SUPERVISOR_STOP);
}

/* Start. */

static void stop_complete(struct message *m, void *owner)
{
    struct rooms *rooms = owner;

    (void)m;
    rooms->is_stopped = true;
}

static enum err start_store(struct rooms *rooms)
{
    char problem[SETTINGS_TEXT_SIZE * 2];
    const struct settings *s = &rooms->in_force.settings;
    enum err e = inbox_open(&rooms->inbox, s->inbox.path, s->inbox.durability,
                            (uint64_t)s->inbox.journal_limit_mib << 20, problem, sizeof problem);

    if (e == ERR_OK)
        e = inbox_access_set(rooms->inbox, s->inbox.group, s->inbox.mode, problem, sizeof problem);
    if (e != ERR_OK) {
        log_error("%s", problem);
        return e;
    }
    inbox_set_limits(rooms->inbox, s);
    if ((e = outbox_set_roots(rooms->in_force.settings.outbox.roots)) != ERR_OK) {
        log_error("cannot open [outbox] roots: %s; create each directory and make it accessible to "
                  "the daemon's user",
                  err_text(e));
        return e;
    }
    return committer_open(&rooms->committer, rooms->inbox);
}

static void connection_done(void *ctx)
{
    struct rooms *rooms = ctx;

    supervisor_notify_connection_done(rooms->supervisor);
}

static enum err open_transports(struct rooms *rooms)
{
    enum err e;

    if ((e = event_sink_open(&rooms->events)) != ERR_OK)
        return e;
    if ((e = gateway_open(&rooms->gateway, rooms->events)) != ERR_OK)
        return e;
    if ((e = gateway_client_open(&rooms->gateway_client, &rooms->in_force.settings)) != ERR_OK)
        return e;
    if (rooms->in_force.settings.gateway.url[0] != '\0')
        gateway_set(rooms->gateway, &gateway_client_ops, rooms->gateway_client);
    return transports_open(&rooms->transports,
                           &(struct transports_config){.settings = &rooms->in_force.settings,
                                                       .gateway = rooms->gateway,
                                                       .events = rooms->events,
                                                       .inbox = rooms->inbox,
                                                       .committer = rooms->committer,
                                                       .connection_done = connection_done,
                                                       .connection_done_ctx = rooms});
}

static enum err open_supervisor(struct rooms *rooms)
{
    return supervisor_open(&rooms->supervisor,
                           &(struct supervisor_config){.paths = rooms->paths,
                                                       .in_force = rooms->in_force,
                                                       .gateway = rooms->gateway,
                                                       .transports = &rooms->transports.table,
                                                       .events = rooms->events,
                                                       .stopped_to = loop_mailbox(rooms->loop),
                                                       .stopped = &rooms->stopped,
                                                       .on_stopped = stop_complete,
                                                       .notify = notify_supervisor,
                                                       .notify_ctx = &rooms->notify});
}

static enum err open_control(struct rooms *rooms)
{
    char problem[SETTINGS_TEXT_SIZE * 2];
    enum err e;

    e = control_open(&rooms->control,
                     &(struct control_config){.settings = rooms->in_force.settings,
                                              .supervisor = rooms->supervisor,
                                              .gateway = rooms->gateway,
                                              .gateway_client = rooms->gateway_client,
                                              .transports = &rooms->transports.table,
                                              .events = rooms->events,
                                              .inbox = rooms->inbox,
                                              .committer = rooms->committer,
                                              .privileges = rooms->sandbox.text,
                                              .automata = automata,
                                              .automat_count = AUTOMATA_COUNT},
                     problem, sizeof problem);

    if (e != ERR_OK && problem[0] != '\0')
        log_error("%s", problem);
    return e;
}

/* Logs which thread could not be started. Returns `e`. */
static enum err log_start_error(const char *what, enum err e)
{
    if (e != ERR_OK)
        log_error("cannot start %s: %s", what, err_text(e));
    return e;
}

static enum err start_threads(struct rooms *rooms)
{
    enum err e;

    /* Before the committer thread starts: this reads the journal, which that thread owns then. */
    gateway_client_replay_report(&(struct gateway_client_replay){
        .inbox = rooms->inbox,
        .committer = rooms->committer,
        .events = rooms->events,
        .gateway = rooms->gateway,
        .remote = {.ops = &gateway_client_ops, .self = rooms->gateway_client},
        .answer_to = loop_mailbox(rooms->loop)});
    if ((e = log_start_error("the committer", committer_start(rooms->committer))) != ERR_OK)
        return e;
    rooms->is_committer_running = true;
    if ((e = log_start_error("the gateway client", gateway_client_start(rooms->gateway_client))) !=
        ERR_OK)
        return e;
    rooms->is_client_running = true;
    if ((e = transports_start(&rooms->transports)) != ERR_OK)
        return e;
    if ((e = log_start_error("the control socket", control_start(rooms->control))) != ERR_OK)
        return e;
    rooms->is_control_running = true;
    if ((e = log_start_error("the supervisor", supervisor_start(rooms->supervisor))) != ERR_OK)
        return e;
    rooms->is_supervisor_running = true;
    watchdog_start(&rooms->watchdog, rooms->loop);
    return ERR_OK;
}

enum err rooms_start(struct rooms *rooms)
{
    enum err e = sandbox_drop(&rooms->sandbox, &rooms->in_force.settings);

    if (e == ERR_OK)
        e = start_store(rooms);
    if (e == ERR_OK)
        e = open_transports(rooms);
    if (e == ERR_OK)
        e = open_supervisor(rooms);
    if (e == ERR_OK)
        e = open_control(rooms);
    if (e == ERR_OK)
        e = limits_check_spare_descriptors();
    if (e == ERR_OK) {
        sandbox_confine(&rooms->sandbox, &rooms->in_force);
        e = start_threads(rooms);
    }
    return e;
}

void rooms_turn(struct rooms *rooms)
{
    loop_turn(rooms->loop, -1);
    watchdog_poll(&rooms->watchdog);
}

static void client_idle(struct message *m, void *owner)
{
    struct rooms *rooms = owner;

    (void)m;
    rooms->is_client_idle = true;
}

/* Waits, within gateway_client_shut's limit, until the remaining calls to a remote gateway are
 * done. */
static void stop_client(struct rooms *rooms)
{
    rooms->client_idle =
        (struct request){.answer_to = loop_mailbox(rooms->loop), .on_answer = client_idle};
    gateway_client_await_idle(rooms->gateway_client, &rooms->client_idle);
    while (!rooms->is_client_idle)
        rooms_turn(rooms);
    gateway_client_stop(rooms->gateway_client);
}

/* The control thread stops first, so that no new work arrives; the committer last, so that accepted
 * work is completed. */
void rooms_stop(struct rooms *rooms)
{
    unsigned grace_s = 0;

    stop_limit_step(&rooms->stop_limit, "the control socket's threads", STEP_LIMIT_S);
    if (rooms->is_control_running)
        control_stop(rooms->control);
    stop_limit_step(&rooms->stop_limit, "the supervisor", STEP_LIMIT_S);
    if (rooms->is_supervisor_running)
        supervisor_stop(rooms->supervisor);
    if (rooms->supervisor != NULL)
        grace_s = supervisor_stop_timeout_s(rooms->supervisor);
    if (rooms->is_client_running)
        gateway_client_shut(rooms->gateway_client, grace_s * 1000ull);
    stop_limit_step(&rooms->stop_limit, "the transports' threads", STEP_LIMIT_S);
    transports_stop(&rooms->transports);
    stop_limit_step(&rooms->stop_limit, "the gateway client", grace_s + STEP_LIMIT_S);
    if (rooms->is_client_running)
        stop_client(rooms);
    stop_limit_step(&rooms->stop_limit, "the committer", STEP_LIMIT_S);
    if (rooms->is_committer_running)
        committer_stop(rooms->committer);
    watchdog_stop(&rooms->watchdog);
    mailbox_drain(loop_mailbox(rooms->loop)); /* answers to pings of the loops just closed */
    /* Control after the supervisor: the transports return control's requests through the
     * supervisor's mailbox, whose thread stopped before theirs, and supervisor_close returns them
     * to control. */
    supervisor_close(&rooms->supervisor);
    control_close(&rooms->control);
    transports_close(&rooms->transports);
    gateway_client_close(&rooms->gateway_client);
    gateway_close(&rooms->gateway);
    event_sink_close(&rooms->events);
    committer_close(&rooms->committer);
    inbox_close(&rooms->inbox);
    mailbox_drain(loop_mailbox(rooms->loop));
    stop_limit_end(&rooms->stop_limit);
}
