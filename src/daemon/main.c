/* Starts the rooms from the ground up, waits for signals, stops the rooms from the top down. */

#include "options.h"

#include "base/contract.h"
#include "base/log.h"
#include "control/control.h"
#include "gateway/gateway.h"
#include "loop/loop.h"
#include "settings/settings.h"
#include "store/committer.h"
#include "store/inbox.h"
#include "tcp/tcp_interface.h"
#include "transport/supervisor.h"

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
#include <unistd.h>

struct daemon {
    struct settings settings;
    struct loop *loop; /* main's own: signals and the news that the stop is complete */
    struct watch signals;
    struct event_sink *events;
    struct gateway *gateway;
    struct inbox *inbox;
    struct committer *committer;
    struct tcp_interface *tcp;
    struct supervisor *supervisor;
    struct control *control;
    void *transport_selves[1]; /* of the transports that control may ask */
    struct message stopped;
    bool is_stopping;
    bool is_stopped;
    bool is_committing, is_tcp_up, is_supervised, is_controlled; /* threads that run */
};

enum { AUTOMATA_COUNT = 3 };

static const struct automat_kind *const automata[AUTOMATA_COUNT] = {
    &tcp_connection_kind, &network_transport_kind, &network_connector_kind};

/* Settings. */

static void print_problem(void *ctx, const char *sentence)
{
    (void)ctx;
    fprintf(stderr, "dustwired: %s\n", sentence);
}

static bool read_settings(struct settings *out, const char *path)
{
    enum err e;

    if (path == NULL) {
        settings_default(out);
        return true;
    }
    e = settings_read(out, path, print_problem, NULL);
    if (e == ERR_NO_MEMORY)
        fprintf(stderr, "dustwired: %s cannot be read: %s\n", path, err_text(e));
    return e == ERR_OK;
}

static int check_config(const struct settings *s, const char *path)
{
    printf("%s: the settings are good\n", path == NULL ? "(defaults)" : path);
    if (!settings_has_transport(s))
        puts("note: no transport is enabled: the daemon would run, but neither send nor receive");
    return EXIT_ENDED;
}

/* Signals. */

static void reload_done(struct message *m, void *owner)
{
    struct supervisor_request *r = (struct supervisor_request *)(void *)m;

    (void)owner; /* the supervisor has logged what came of it */
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
    r->request.on_answer = reload_done;
    if (supervisor_post(d->supervisor, r) != ERR_OK) {
        log_warning("a signal is lost: the supervisor takes no more requests");
        free(r);
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

/* Nobody reads the signals while the rooms stop, and a name server that does not answer can hold
 * that up: from here on a signal ends the process by itself. */
static void let_signals_end_us(void)
{
    struct sigaction action = {.sa_handler = ended_by_handler};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void take_signal(struct daemon *d, unsigned number)
{
    if (number == SIGHUP) {
        ask_supervisor(d, SUPERVISOR_RELOAD);
        return;
    }
    if (d->is_stopping)
        end_at_once();
    d->is_stopping = true;
    log_info("%s: stopping; files under way may finish for %u s", strsignal((int)number),
             d->settings.sessions.stop_timeout_s);
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

static enum err open_signals(struct daemon *d)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
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

static void log_setting(void *ctx, const char *sentence)
{
    (void)ctx;
    log_info("setting: %s", sentence);
}

static void log_start(const struct daemon *d, const char *path)
{
    log_info("dustwired %s starts: settings=%s workers=%u inbox=%s durability=%s control=%s",
             DUSTWIRE_VERSION, path == NULL ? "(defaults)" : path,
             settings_worker_count(&d->settings), d->settings.inbox.path,
             d->settings.inbox.durability == DURABILITY_FULL ? "full" : "none",
             d->settings.control.socket);
    settings_print_changed(&d->settings, log_setting, NULL);
}

static void marked(struct message *m, void *owner)
{
    (void)owner;
    free(m);
}

/* The journal is told that the gateway has had its report. */
static void mark_reported(struct daemon *d, uint32_t transfer_id)
{
    struct commit_request *r = calloc(1, sizeof *r);

    if (r == NULL)
        return; /* it will be reported once more after the next start */
    r->kind = COMMIT_REPORTED;
    r->record.transfer_id = transfer_id;
    r->record.idurl = "";
    r->request.on_answer = marked;
    committer_submit(d->committer, r);
}

/* What the last run acknowledged and did not get to report. */
static void report_owed(void *ctx, const struct inbox_record *record, bool is_finished)
{
    struct daemon *d = ctx;
    void *self;
    const struct gateway_ops *gateway = gateway_current(d->gateway, &self);
    char path[INBOX_PATH_SIZE];
    struct gateway_transfer t = {.proto = "tcp",
                                 .idurl = record->idurl,
                                 .filename = path,
                                 .size_bytes = record->size_bytes,
                                 .done_bytes = is_finished ? record->size_bytes : 0,
                                 .status = is_finished ? TRANSFER_FINISHED : TRANSFER_FAILED,
                                 .transfer_id = record->transfer_id,
                                 .is_registered = true};

    inbox_final_path(d->inbox, record->name, path);
    address_text(t.host, &record->peer);
    if (!is_finished)
        snprintf(t.error, sizeof t.error, "the daemon ended before the file was stored");
    log_info("reported late: transfer=%" PRIu32 " %s path=%s", record->transfer_id,
             transfer_status_word(t.status), path);
    event_emit(d->events, gateway_transfer_event(EVENT_RECEIVING_ENDED, &t));
    gateway->unregister_file_receiving(self, &t);
    mark_reported(d, record->transfer_id);
}

static enum err start_store(struct daemon *d)
{
    char problem[SETTINGS_TEXT_SIZE * 2];
    enum err e =
        inbox_open(&d->inbox, d->settings.inbox.path, d->settings.inbox.durability,
                   (uint64_t)d->settings.inbox.journal_limit_mib << 20, problem, sizeof problem);

    if (e != ERR_OK) {
        log_error("%s", problem);
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
    enum err e;

    if ((e = event_sink_open(&d->events)) != ERR_OK)
        return e;
    if ((e = gateway_open(&d->gateway, d->events)) != ERR_OK)
        return e;
    e = tcp_interface_open(&d->tcp,
                           &(struct tcp_interface_config){.settings = d->settings,
                                                          .gateway = d->gateway,
                                                          .events = d->events,
                                                          .inbox = d->inbox,
                                                          .committer = d->committer,
                                                          .connection_done = connection_done,
                                                          .connection_done_ctx = d});
    if (e != ERR_OK)
        return e;
    return gateway_add(d->gateway, &tcp_transport_ops, d->tcp);
}

static enum err open_supervisor(struct daemon *d, const char *path)
{
    return supervisor_open(&d->supervisor,
                           &(struct supervisor_config){.settings_path = path == NULL ? "" : path,
                                                       .settings = d->settings,
                                                       .gateway = d->gateway,
                                                       .events = d->events,
                                                       .stopped_to = loop_mailbox(d->loop),
                                                       .stopped = &d->stopped,
                                                       .on_stopped = stop_complete});
}

static enum err open_control(struct daemon *d)
{
    static const struct transport_ops *const transports[] = {&tcp_transport_ops};
    char problem[SETTINGS_TEXT_SIZE * 2];
    enum err e;

    d->transport_selves[0] = d->tcp;
    e = control_open(&d->control,
                     &(struct control_config){.settings = d->settings,
                                              .supervisor = d->supervisor,
                                              .transports = transports,
                                              .transport_selves = d->transport_selves,
                                              .transport_count = 1,
                                              .events = d->events,
                                              .inbox = d->inbox,
                                              .committer = d->committer,
                                              .automata = automata,
                                              .automat_count = AUTOMATA_COUNT},
                     problem, sizeof problem);

    if (e != ERR_OK)
        log_error("%s", problem);
    return e;
}

static enum err start_threads(struct daemon *d)
{
    enum err e;

    /* Before the committer runs: the owed reports are read from what it will own. */
    inbox_each_owed(d->inbox, report_owed, d);
    if ((e = committer_start(d->committer)) != ERR_OK)
        return e;
    d->is_committing = true;
    if ((e = tcp_interface_start(d->tcp)) != ERR_OK)
        return e;
    d->is_tcp_up = true;
    if ((e = control_start(d->control)) != ERR_OK)
        return e;
    d->is_controlled = true;
    if ((e = supervisor_start(d->supervisor)) != ERR_OK)
        return e;
    d->is_supervised = true;
    return ERR_OK;
}

static enum err start(struct daemon *d, const char *path)
{
    enum err e = loop_open(
        &d->loop, &(struct loop_config){.name = "main", .mailbox_limit = 1024, .owner = d});

    if (e == ERR_OK)
        e = open_signals(d);
    if (e == ERR_OK)
        e = start_store(d);
    if (e == ERR_OK)
        e = open_transports(d);
    if (e == ERR_OK)
        e = open_supervisor(d, path);
    if (e == ERR_OK)
        e = open_control(d);
    if (e == ERR_OK)
        e = start_threads(d);
    return e;
}

/* From the top down, each only if it runs. The control thread ends first, so that no new work
 * comes; the committer last, so that what was taken is finished. */
static void stop(struct daemon *d)
{
    if (d->is_controlled)
        control_stop(d->control);
    if (d->is_supervised)
        supervisor_stop(d->supervisor);
    if (d->is_tcp_up)
        tcp_interface_stop(d->tcp);
    if (d->is_committing)
        committer_stop(d->committer);
    control_close(&d->control);
    supervisor_close(&d->supervisor);
    tcp_interface_close(&d->tcp);
    gateway_close(&d->gateway);
    event_sink_close(&d->events);
    committer_close(&d->committer);
    inbox_close(&d->inbox);
    if (d->loop != NULL)
        mailbox_drain(loop_mailbox(d->loop));
    if (d->signals.fd > 0)
        close(d->signals.fd);
    loop_close(&d->loop);
}

static int run(struct daemon *d, const char *path)
{
    enum err e;

    log_set_level(d->settings.log.level);
    raise_descriptor_limit();
    log_start(d, path);
    e = start(d, path);
    if (e != ERR_OK)
        log_error("dustwired cannot start: %s", err_text(e));
    while (e == ERR_OK && !d->is_stopped)
        loop_turn(d->loop, -1);
    let_signals_end_us();
    stop(d);
    if (e == ERR_OK)
        log_info("dustwired stopped");
    return e == ERR_OK ? EXIT_ENDED : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    static struct daemon d;
    struct options options;

    options_read(&options, argc, argv);
    if (options.action == OPTIONS_END)
        return options.exit_status;
    if (!read_settings(&d.settings, options.config_path))
        return EXIT_FAILED;
    if (options.action == OPTIONS_CHECK_CONFIG)
        return check_config(&d.settings, options.config_path);
    if (options.action == OPTIONS_DUMP_CONFIG) {
        settings_print(&d.settings, stdout);
        return EXIT_ENDED;
    }
    return run(&d, options.config_path);
}
