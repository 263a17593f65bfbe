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
    STEP_LIMIT_S = 30, /* for a step of the stop, beside the files that may finish in it */
};

static const struct automat_kind *const automata[AUTOMATA_COUNT] = {
    &session_kind, &network_transport_kind, &network_connector_kind};

/* The supervisor has logged what came of it. */
static void signal_is_done(struct message *m, void *owner)
{
    struct supervisor_request *r = (struct supervisor_request *)(void *)m;
    struct rooms *rooms = owner;

    if (r->ask == SUPERVISOR_STOP && !rooms->is_stopped)
        stop_limit_step(&rooms->stop_limit, "files under way and their sessions",
                        r->in_force.settings.sessions.stop_timeout_s + STEP_LIMIT_S);
    free(r);
}

static void ask_supervisor(struct rooms *rooms, enum supervisor_ask ask)
{
    struct supervisor_request *r = calloc(1, sizeof *r);

    if (r == NULL) {
        log_error("a signal is lost: %s", err_text(ERR_NO_MEMORY));
        return;
    }
    r->ask = ask;
    r->request.answer_to = loop_mailbox(rooms->loop);
    r->request.on_answer = signal_is_done;
    if (supervisor_post(rooms->supervisor, r) != ERR_OK) {
        log_warning("a signal is lost: the supervisor takes no more requests");
        free(r);
    } else if (ask == SUPERVISOR_STOP) {
        stop_limit_step(&rooms->stop_limit, "the supervisor", STEP_LIMIT_S);
    }
}

void rooms_reload(struct rooms *rooms)
{
    control_check_socket(rooms->control);
    ask_supervisor(rooms, SUPERVISOR_RELOAD);
}

void rooms_begin_stop(struct rooms *rooms)
{
    ask_supervisor(rooms, SUPERVISOR_STOP);
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
        log_error("[outbox] roots cannot be opened: %s; make each of those folders and let this "
                  "user enter it",
                  err_text(e));
        return e;
    }
    return committer_open(&rooms->committer, rooms->inbox);
}

static void connection_done(void *ctx)
{
    struct rooms *rooms = ctx;

    supervisor_tell_connection_done(rooms->supervisor);
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
                                                       .news = notify_news,
                                                       .news_ctx = &rooms->notify});
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

/* What is started and cannot be is named: the reason alone would not say of what. */
static enum err say_start(const char *what, enum err e)
{
    if (e != ERR_OK)
        log_error("%s cannot be started: %s", what, err_text(e));
    return e;
}

static enum err start_threads(struct rooms *rooms)
{
    enum err e;

    /* Before the committer runs: the owed reports are read from what it will own. */
    gateway_client_replay_report(&(struct gateway_client_replay){
        .inbox = rooms->inbox,
        .committer = rooms->committer,
        .events = rooms->events,
        .gateway = rooms->gateway,
        .remote = {.ops = &gateway_client_ops, .self = rooms->gateway_client},
        .answer_to = loop_mailbox(rooms->loop)});
    if ((e = say_start("the committer", committer_start(rooms->committer))) != ERR_OK)
        return e;
    rooms->is_committing = true;
    if ((e = say_start("the calls to a gateway", gateway_client_start(rooms->gateway_client))) !=
        ERR_OK)
        return e;
    rooms->is_client_up = true;
    if ((e = transports_start(&rooms->transports)) != ERR_OK)
        return e;
    if ((e = say_start("the control socket", control_start(rooms->control))) != ERR_OK)
        return e;
    rooms->is_controlled = true;
    if ((e = say_start("the supervisor", supervisor_start(rooms->supervisor))) != ERR_OK)
        return e;
    rooms->is_supervised = true;
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
    watchdog_look(&rooms->watchdog);
}

static void client_is_idle(struct message *m, void *owner)
{
    struct rooms *rooms = owner;

    (void)m;
    rooms->is_client_idle = true;
}

/* What a remote gateway is still to be told has the time of a stop for it, if it answers at all. */
static void stop_client(struct rooms *rooms)
{
    rooms->client_idle =
        (struct request){.answer_to = loop_mailbox(rooms->loop), .on_answer = client_is_idle};
    gateway_client_await_idle(rooms->gateway_client, &rooms->client_idle);
    while (!rooms->is_client_idle)
        rooms_turn(rooms);
    gateway_client_stop(rooms->gateway_client);
}

/* The control thread ends first, so that no new work comes; the committer last, so that what was
 * taken is finished. */
void rooms_stop(struct rooms *rooms)
{
    unsigned grace_s = 0;

    stop_limit_step(&rooms->stop_limit, "the control socket's threads", STEP_LIMIT_S);
    if (rooms->is_controlled)
        control_stop(rooms->control);
    stop_limit_step(&rooms->stop_limit, "the supervisor", STEP_LIMIT_S);
    if (rooms->is_supervised)
        supervisor_stop(rooms->supervisor);
    if (rooms->supervisor != NULL)
        grace_s = supervisor_stop_timeout_s(rooms->supervisor);
    if (rooms->is_client_up)
        gateway_client_shut(rooms->gateway_client, grace_s * 1000ull);
    stop_limit_step(&rooms->stop_limit, "the transports' threads", STEP_LIMIT_S);
    transports_stop(&rooms->transports);
    stop_limit_step(&rooms->stop_limit, "the calls to a gateway", grace_s + STEP_LIMIT_S);
    if (rooms->is_client_up)
        stop_client(rooms);
    stop_limit_step(&rooms->stop_limit, "the committer", STEP_LIMIT_S);
    if (rooms->is_committing)
        committer_stop(rooms->committer);
    watchdog_stop(&rooms->watchdog);
    mailbox_drain(loop_mailbox(rooms->loop)); /* the pulses of loops that are closed now */
    /* Control last of those that ask: what it has asked for comes back from the transports by way
     * of the supervisor, whose thread has ended before theirs. */
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
