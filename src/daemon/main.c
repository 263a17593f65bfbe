/* Starts the rooms from the ground up, waits for signals, stops the rooms from the top down. */

#include "daemon/notify.h"
#include "daemon/options.h"
#include "daemon/preflight.h"
#include "daemon/sandbox.h"
#include "daemon/stop_limit.h"
#include "gateway_client/replay.h"

#include "base/contract.h"
#include "base/inherit.h"
#include "base/log.h"
#include "control/control.h"
#include "gateway/gateway.h"
#include "gateway_client/client.h"
#include "loop/loop.h"
#include "settings/settings.h"
#include "store/commit/committer.h"
#include "store/inbox/access.h"
#include "store/inbox/inbox.h"
#include "store/outbox/outbox.h"
#include "supervisor/automata.h"
#include "supervisor/supervisor.h"
#include "tcp/automata.h"
#include "tcp/transport.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct daemon {
    struct settings_paths paths;
    struct settings_in_force in_force; /* as read at the start */
    struct loop *loop; /* main's own: signals and the news that the stop is complete */
    struct watch signals;
    struct event_sink *events;
    struct gateway *gateway;
    struct gateway_client *gateway_client; /* to a remote gateway, if there ever is one */
    struct inbox *inbox;
    struct committer *committer;
    struct tcp_transport *tcp;
    struct supervisor *supervisor;
    struct control *control;
    void *transport_selves[1]; /* of the transports that control may ask */
    struct message stopped;
    struct request client_idle;
    struct sandbox sandbox;
    struct notify notify;
    struct watchdog watchdog;
    struct stop_limit stop_limit;
    bool is_stopping;
    bool is_stopped;
    bool is_client_idle;
    /* threads that run */
    bool is_committing, is_client_up, is_tcp_up, is_supervised, is_controlled;
};

enum {
    AUTOMATA_COUNT = 3,
    STEP_LIMIT_S = 30, /* for a step of the stop, beside the files that may finish in it */
};

static const struct automat_kind *const automata[AUTOMATA_COUNT] = {
    &session_kind, &network_transport_kind, &network_connector_kind};

/* Settings. */

static void print_problem(void *ctx, const char *sentence)
{
    (void)ctx;
    fprintf(stderr, "dustwired: %s\n", sentence);
}

static bool read_settings(struct daemon *d)
{
    enum err e =
        settings_load(&d->in_force.settings, &d->in_force.origins, &d->paths, print_problem, NULL);

    if (e == ERR_NO_MEMORY)
        fprintf(stderr, "dustwired: the settings cannot be read: %s\n", err_text(e));
    return e == ERR_OK;
}

static void print_note(void *ctx, const char *sentence)
{
    (void)ctx;
    printf("note: %s\n", sentence);
}

static int check_config(const struct settings_in_force *in_force)
{
    struct preflight preflight = {.problem = print_problem, .note = print_note};
    const char *file = in_force->origins.file;

    preflight_check(&preflight, in_force);
    settings_advise(&in_force->settings, &in_force->origins, print_note, NULL);
    if (preflight.problems > 0)
        return EXIT_FAILED;
    printf("%s: the settings are good\n", file[0] == '\0' ? in_force->origins.own : file);
    return EXIT_ENDED;
}

/* Of the defaults alone nobody has to be told where each comes from: that is the sample file. */
static int dump_config(const struct settings_in_force *in_force)
{
    bool is_plain = in_force->origins.file[0] == '\0';

    for (unsigned i = 0; i < SETTINGS_KEYS_MAX; i++)
        is_plain = is_plain && in_force->origins.keys[i].from == ORIGIN_DEFAULT;
    settings_print(&in_force->settings, is_plain ? NULL : &in_force->origins, stdout);
    return EXIT_ENDED;
}

/* Signals. */

/* The supervisor has logged what came of it. */
static void signal_is_done(struct message *m, void *owner)
{
    struct supervisor_request *r = (struct supervisor_request *)(void *)m;
    struct daemon *d = owner;

    if (r->ask == SUPERVISOR_STOP && !d->is_stopped)
        stop_limit_step(&d->stop_limit, "files under way and their sessions",
                        r->in_force.settings.sessions.stop_timeout_s + STEP_LIMIT_S);
    free(r);
}

static void ask_supervisor(struct daemon *d, enum supervisor_ask ask)
{
    struct supervisor_request *r = calloc(1, sizeof *r);

    if (r == NULL) {
        log_error("a signal is lost: %s", err_text(ERR_NO_MEMORY));
        return;
    }
    r->ask = ask;
    r->request.answer_to = loop_mailbox(d->loop);
    r->request.on_answer = signal_is_done;
    if (supervisor_post(d->supervisor, r) != ERR_OK) {
        log_warning("a signal is lost: the supervisor takes no more requests");
        free(r);
    } else if (ask == SUPERVISOR_STOP) {
        stop_limit_step(&d->stop_limit, "the supervisor", STEP_LIMIT_S);
    }
}

/* What was acknowledged is safe at any moment, so ending at once loses no promise, only politeness.
 */
static void end_at_once(void)
{
    log_warning("ended at once by a second signal");
    _exit(EXIT_FAILED);
}

static void ended_by_handler(int number)
{
    (void)number;
    _exit(EXIT_FAILED);
}

/* SIGINT stays ignored if it was at the start: a shell does that for a command in the background.
 */
static void stop_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    if (!inherit_is_ignored(SIGINT))
        sigaddset(set, SIGINT);
}

/* Nobody reads the signals while the rooms stop, and a disk that does not answer can hold that up:
 * from here on a signal ends the process by itself. */
static void let_signals_end_us(void)
{
    struct sigaction action = {.sa_handler = ended_by_handler};
    sigset_t set;

    stop_signals(&set);
    sigaction(SIGTERM, &action, NULL);
    if (sigismember(&set, SIGINT))
        sigaction(SIGINT, &action, NULL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void take_signal(struct daemon *d, unsigned number)
{
    if (number == SIGHUP) {
        control_look(d->control);
        ask_supervisor(d, SUPERVISOR_RELOAD);
        return;
    }
    if (d->is_stopping)
        end_at_once();
    d->is_stopping = true;
    log_info("%s: stopping", strsignal((int)number));
    ask_supervisor(d, SUPERVISOR_STOP);
}

static void signals_wait(struct watch *w, uint32_t events)
{
    struct daemon *d = w->ctx;
    struct signalfd_siginfo info;

    (void)events;
    while (read(w->fd, &info, sizeof info) == sizeof info)
        take_signal(d, info.ssi_signo);
}

/* The libraries take some ten milliseconds to set themselves up before main is called: a signal
 * then would end us by its default action. This runs before they do, so it calls none of them. */
static void hold_signals_early(void)
{
    const uint64_t set =
        UINT64_C(1) << (SIGHUP - 1) | UINT64_C(1) << (SIGTERM - 1) | UINT64_C(1) << (SIGINT - 1);

    syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, NULL, sizeof set);
}

__attribute__((section(".preinit_array"),
               used)) static void (*const hold_signals_first)(void) = hold_signals_early;

/* What comes before there is anybody to read it waits. */
static void hold_signals(void)
{
    sigset_t set;

    stop_signals(&set);
    sigaddset(&set, SIGHUP);
    inherit_settle_signals(&set);
}

static enum err open_signals(struct daemon *d)
{
    sigset_t set;

    stop_signals(&set);
    sigaddset(&set, SIGHUP);
    d->signals = (struct watch){
        .fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), .ready = signals_wait, .ctx = d};
    if (d->signals.fd < 0)
        return err_from_errno(errno);
    return loop_add(d->loop, &d->signals, EPOLLIN);
}

static void stop_complete(struct message *m, void *owner)
{
    struct daemon *d = owner;

    (void)m;
    d->is_stopped = true;
}

/* Start. */

/* As many descriptors as we may have: each session and each open file is one. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warning("cannot raise the limit of descriptors: %s", strerror(errno));
}

static uint64_t limit_of(unsigned resource)
{
    struct rlimit limit;

    return getrlimit(resource, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

/* Limits of the process that are below what the settings promise: nothing fails by them now, and
 * whoever meets one later is to find its cause in the log. */
static void log_limits(const struct settings *s)
{
    uint64_t files = limit_of(RLIMIT_NOFILE), bytes = limit_of(RLIMIT_FSIZE);

    if (files < s->sessions.limit)
        log_warning("this process may open %" PRIu64 " files (ulimit -n), so there can be fewer "
                    "sessions than [sessions] limit = %u",
                    files, s->sessions.limit);
    if (bytes != RLIM_INFINITY)
        log_warning("this process may write no file beyond %" PRIu64 " bytes (ulimit -f): larger "
                    "ones cannot be received",
                    bytes);
}

static void log_setting(void *ctx, const char *sentence)
{
    (void)ctx;
    log_info("setting: %s", sentence);
}

static void log_advice(void *ctx, const char *sentence)
{
    (void)ctx;
    log_warning("settings: %s", sentence);
}

static void log_start(const struct daemon *d)
{
    log_info("dustwired %s starts: settings=%s workers=%u inbox=%s durability=%s control=%s",
             DUSTWIRE_VERSION, d->paths.file == NULL ? "(defaults)" : d->paths.file,
             settings_worker_count(&d->in_force.settings), d->in_force.settings.inbox.path,
             d->in_force.settings.inbox.durability == DURABILITY_FULL ? "full" : "none",
             d->in_force.settings.control.socket);
    settings_print_changed(&d->in_force.settings, log_setting, NULL);
    settings_advise(&d->in_force.settings, &d->in_force.origins, log_advice, NULL);
}

static enum err open_log(const struct settings *s)
{
    char problem[SETTINGS_TEXT_SIZE * 2];
    enum err e = ERR_OK;

    log_set_level(s->log.level);
    log_set_peer_limit(s->log.lines_per_peer_per_s);
    log_set_file_limit((uint64_t)s->log.file_limit_mib << 20);
    if (s->log.file[0] != '\0' && (e = log_to_file(s->log.file, problem, sizeof problem)) != ERR_OK)
        log_error("%s", problem);
    return e;
}

static enum err start_store(struct daemon *d)
{
    char problem[SETTINGS_TEXT_SIZE * 2];
    const struct settings *s = &d->in_force.settings;
    enum err e = inbox_open(&d->inbox, s->inbox.path, s->inbox.durability,
                            (uint64_t)s->inbox.journal_limit_mib << 20, problem, sizeof problem);

    if (e == ERR_OK)
        e = inbox_access_set(d->inbox, s->inbox.group, s->inbox.mode, problem, sizeof problem);
    if (e != ERR_OK) {
        log_error("%s", problem);
        return e;
    }
    inbox_set_limits(d->inbox, s);
    if ((e = outbox_set_roots(d->in_force.settings.outbox.roots)) != ERR_OK) {
        log_error("[outbox] roots cannot be opened: %s; make each of those folders and let this "
                  "user enter it",
                  err_text(e));
        return e;
    }
    return committer_open(&d->committer, d->inbox);
}

static void connection_done(void *ctx)
{
    struct daemon *d = ctx;

    supervisor_tell_connection_done(d->supervisor);
}

static enum err open_transports(struct daemon *d)
{
    struct passed_sockets passed;
    enum err e;

    passed.count = notify_passed_sockets(&passed.first_fd);
    if ((e = event_sink_open(&d->events)) != ERR_OK)
        return e;
    if ((e = gateway_open(&d->gateway, d->events)) != ERR_OK)
        return e;
    if ((e = gateway_client_open(&d->gateway_client, &d->in_force.settings)) != ERR_OK)
        return e;
    if (d->in_force.settings.gateway.url[0] != '\0')
        gateway_set(d->gateway, &gateway_client_ops, d->gateway_client);
    e = tcp_transport_open(&d->tcp,
                           &(struct tcp_transport_config){.settings = &d->in_force.settings,
                                                          .gateway = d->gateway,
                                                          .events = d->events,
                                                          .inbox = d->inbox,
                                                          .committer = d->committer,
                                                          .passed = passed,
                                                          .connection_done = connection_done,
                                                          .connection_done_ctx = d});
    if (e != ERR_OK)
        return e;
    return gateway_add(d->gateway, &tcp_transport_ops, d->tcp);
}

static enum err open_supervisor(struct daemon *d)
{
    return supervisor_open(&d->supervisor,
                           &(struct supervisor_config){.paths = d->paths,
                                                       .in_force = d->in_force,
                                                       .gateway = d->gateway,
                                                       .events = d->events,
                                                       .stopped_to = loop_mailbox(d->loop),
                                                       .stopped = &d->stopped,
                                                       .on_stopped = stop_complete,
                                                       .news = notify_news,
                                                       .news_ctx = &d->notify});
}

static enum err open_control(struct daemon *d)
{
    static const struct transport_ops *const transports[] = {&tcp_transport_ops};
    char problem[SETTINGS_TEXT_SIZE * 2];
    enum err e;

    d->transport_selves[0] = d->tcp;
    e = control_open(&d->control,
                     &(struct control_config){.settings = d->in_force.settings,
                                              .supervisor = d->supervisor,
                                              .gateway = d->gateway,
                                              .gateway_client = d->gateway_client,
                                              .transports = transports,
                                              .transport_selves = d->transport_selves,
                                              .transport_count = 1,
                                              .events = d->events,
                                              .inbox = d->inbox,
                                              .committer = d->committer,
                                              .privileges = d->sandbox.text,
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

static enum err start_threads(struct daemon *d)
{
    enum err e;

    /* Before the committer runs: the owed reports are read from what it will own. */
    gateway_client_replay_report(&(struct gateway_client_replay){
        .inbox = d->inbox,
        .committer = d->committer,
        .events = d->events,
        .gateway = d->gateway,
        .remote = {.ops = &gateway_client_ops, .self = d->gateway_client},
        .answer_to = loop_mailbox(d->loop)});
    if ((e = say_start("the committer", committer_start(d->committer))) != ERR_OK)
        return e;
    d->is_committing = true;
    if ((e = say_start("the calls to a gateway", gateway_client_start(d->gateway_client))) !=
        ERR_OK)
        return e;
    d->is_client_up = true;
    if ((e = say_start("the TCP transport", tcp_transport_start(d->tcp))) != ERR_OK)
        return e;
    d->is_tcp_up = true;
    if ((e = say_start("the control socket", control_start(d->control))) != ERR_OK)
        return e;
    d->is_controlled = true;
    if ((e = say_start("the supervisor", supervisor_start(d->supervisor))) != ERR_OK)
        return e;
    d->is_supervised = true;
    watchdog_start(&d->watchdog, d->loop);
    return ERR_OK;
}

/* Sessions, files and those who ask for a status need some beside what is open by now. A daemon
 * without would be there and answer nobody. */
static enum err check_spare_descriptors(const struct daemon *d)
{
    enum { SPARE = 32 };
    int spare[SPARE];
    unsigned count = 0;

    while (count < SPARE && (spare[count] = dup(d->signals.fd)) >= 0)
        count++;
    for (unsigned i = 0; i < count; i++)
        close(spare[i]);
    if (count == SPARE)
        return ERR_OK;
    log_error("this process may open %" PRIu64
              " files (ulimit -n), of which %u are left for sessions "
              "and whoever asks: let it open more",
              limit_of(RLIMIT_NOFILE), count);
    return ERR_DESCRIPTORS;
}

static enum err start(struct daemon *d)
{
    enum err e = loop_open(
        &d->loop, &(struct loop_config){.name = "main", .mailbox_limit = 1024, .owner = d});

    if (e == ERR_OK)
        e = open_signals(d);
    if (e == ERR_OK)
        e = sandbox_drop(&d->sandbox, &d->in_force.settings);
    if (e == ERR_OK)
        e = start_store(d);
    if (e == ERR_OK)
        e = open_transports(d);
    if (e == ERR_OK)
        e = open_supervisor(d);
    if (e == ERR_OK)
        e = open_control(d);
    if (e == ERR_OK)
        e = check_spare_descriptors(d);
    if (e == ERR_OK) {
        sandbox_confine(&d->sandbox, &d->in_force);
        e = start_threads(d);
    }
    return e;
}

static void turn(struct daemon *d)
{
    loop_turn(d->loop, -1);
    watchdog_look(&d->watchdog);
}

static void client_is_idle(struct message *m, void *owner)
{
    struct daemon *d = owner;

    (void)m;
    d->is_client_idle = true;
}

/* What a remote gateway is still to be told has the time of a stop for it, if it answers at all. */
static void stop_client(struct daemon *d)
{
    d->client_idle =
        (struct request){.answer_to = loop_mailbox(d->loop), .on_answer = client_is_idle};
    gateway_client_await_idle(d->gateway_client, &d->client_idle);
    while (!d->is_client_idle)
        turn(d);
    gateway_client_stop(d->gateway_client);
}

/* From the top down, each only if it runs. The control thread ends first, so that no new work
 * comes; the committer last, so that what was taken is finished. */
static void stop(struct daemon *d)
{
    unsigned grace_s = 0;

    stop_limit_step(&d->stop_limit, "the control socket's threads", STEP_LIMIT_S);
    if (d->is_controlled)
        control_stop(d->control);
    stop_limit_step(&d->stop_limit, "the supervisor", STEP_LIMIT_S);
    if (d->is_supervised)
        supervisor_stop(d->supervisor);
    if (d->supervisor != NULL)
        grace_s = supervisor_stop_timeout_s(d->supervisor);
    if (d->is_client_up)
        gateway_client_shut(d->gateway_client, grace_s * 1000ull);
    stop_limit_step(&d->stop_limit, "the TCP transport's threads", STEP_LIMIT_S);
    if (d->is_tcp_up)
        tcp_transport_stop(d->tcp);
    stop_limit_step(&d->stop_limit, "the calls to a gateway", grace_s + STEP_LIMIT_S);
    if (d->is_client_up)
        stop_client(d);
    stop_limit_step(&d->stop_limit, "the committer", STEP_LIMIT_S);
    if (d->is_committing)
        committer_stop(d->committer);
    watchdog_stop(&d->watchdog);
    if (d->loop != NULL)
        mailbox_drain(loop_mailbox(d->loop)); /* the pulses of loops that are closed now */
    /* Control last of those that ask: what it has asked for comes back from the transports by way
     * of the supervisor, whose thread has ended before theirs. */
    supervisor_close(&d->supervisor);
    control_close(&d->control);
    tcp_transport_close(&d->tcp);
    gateway_client_close(&d->gateway_client);
    gateway_close(&d->gateway);
    event_sink_close(&d->events);
    committer_close(&d->committer);
    inbox_close(&d->inbox);
    if (d->loop != NULL)
        mailbox_drain(loop_mailbox(d->loop));
    if (d->signals.fd > 0)
        close(d->signals.fd);
    loop_close(&d->loop);
    stop_limit_end(&d->stop_limit);
}

static int run(struct daemon *d)
{
    enum err e;

    if (open_log(&d->in_force.settings) != ERR_OK)
        return EXIT_FAILED;
    raise_descriptor_limit();
    log_start(d);
    log_limits(&d->in_force.settings);
    e = start(d);
    if (e != ERR_OK)
        log_error("dustwired cannot start: %s; %s", err_text(e),
                  err_advice(e, "the lines above say more"));
    while (e == ERR_OK && !d->is_stopped)
        turn(d);
    let_signals_end_us();
    stop(d);
    if (e == ERR_OK)
        log_info("dustwired stopped");
    return e == ERR_OK ? EXIT_ENDED : EXIT_FAILED;
}

/* What was asked for and could not be printed is no success. */
static int printed(int exit_status)
{
    int error_number = inherit_flush_output();

    if (error_number == 0)
        return exit_status;
    fprintf(stderr, "dustwired: the answer could not be written to standard output: %s\n",
            strerror(error_number));
    return exit_status == EXIT_ENDED ? EXIT_FAILED : exit_status;
}

int main(int argc, char **argv)
{
    static struct daemon d;
    struct options options;

    inherit_fill_standard();
    hold_signals();
    umask(077); /* what others may have is given to them expressly: [inbox] mode, [control] mode */
    options_read(&options, argc, argv);
    if (options.action != OPTIONS_RUN)
        inherit_settle_signals(NULL);
    if (options.action == OPTIONS_END)
        return printed(options.exit_status);
    d.paths = (struct settings_paths){.file = options.config_path,
                                      .own = options.settings_path,
                                      .is_own_from_command_line = options.settings_path != NULL};
    if (!read_settings(&d))
        return EXIT_FAILED;
    if (options.action == OPTIONS_CHECK_CONFIG)
        return printed(check_config(&d.in_force));
    if (options.action == OPTIONS_DUMP_CONFIG)
        return printed(dump_config(&d.in_force));
    return run(&d);
}
