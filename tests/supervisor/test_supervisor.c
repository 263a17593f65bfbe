#include "supervisor/supervisor.h"

#include "base/container_of.h"
#include "base/log.h"
#include "supervisor/core.h"
#include "supervisor/scripted.h"
#include "supervisor/state_event.h"
#include "supervisor/supervisor_internal.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The supervisor with a mock tcp. Except in the tests of the thread itself, its loop is not
 * started: the test runs its turns, so nothing blocks and nothing races. */
static struct event_sink *events;
static struct gateway *gateway;
static struct scripted tcp;
static const struct transport_table table = {.rows = &tcp.row, .count = 1};
static struct supervisor *s;
static struct settings settings;
static struct mailbox *answers; /* the sender's */
static struct mailbox *kept;    /* the receiver's of events */
static struct message stopped;
static unsigned stops, answered, settings_events;
static char states[1024]; /* network states from events, in order */
static char folder[64], path[96];

static void event_received(struct message *m, void *owner)
{
    struct event *e = CONTAINER_OF(m, struct event, message);

    (void)owner;
    if (e->kind == EVENT_NETWORK_STATE) {
        strncat(states, e->to_state, sizeof states - strlen(states) - 1);
        strncat(states, " ", sizeof states - strlen(states) - 1);
    }
    settings_events += e->kind == EVENT_SETTINGS_RELOADED;
    event_free(&e);
}

static void stop_completed(struct message *m, void *owner)
{
    (void)m, (void)owner;
    stops++;
}

static void answer_received(struct message *m, void *owner)
{
    (void)m, (void)owner;
    answered++;
}

static char own[96]; /* the file of 'dustwire set' */

static void write_settings(const char *text)
{
    FILE *file = fopen(path, "w");

    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

static void open_all(void)
{
    snprintf(folder, sizeof folder, "/tmp/dustwire-supervisor-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/dustwired.ini", folder);
    settings_default(&settings);
    cr_assert_eq(mailbox_open(&answers, 64, NULL), ERR_OK);
    cr_assert_eq(mailbox_open(&kept, 1024, NULL), ERR_OK);
    cr_assert_eq(event_sink_open(&events), ERR_OK);
    event_sink_connect(events, kept, event_received);
    cr_assert_eq(gateway_open(&gateway, events), ERR_OK);
    scripted_init(&tcp, "tcp");
    cr_assert_eq(gateway_add(gateway, &tcp.row), ERR_OK);
}

static void open_supervisor(void)
{
    struct settings_in_force in_force = {.settings = settings};

    snprintf(own, sizeof own, "%s/own.ini", folder);
    snprintf(in_force.origins.persisted, sizeof in_force.origins.persisted, "%s", own);
    cr_assert_eq(
        supervisor_open(
            &s, &(struct supervisor_config){.paths = {.file = path[0] == '\0' ? NULL : path},
                                            .in_force = in_force,
                                            .gateway = gateway,
                                            .transports = &table,
                                            .events = events,
                                            .stopped_to = answers,
                                            .stopped = &stopped,
                                            .on_stopped = stop_completed}),
        ERR_OK);
}

static void a_supervisor(void)
{
    open_all();
    open_supervisor();
}

static bool is_disk_hung; /* the thread of the settings files is blocked */

static void pump(void)
{
    while (mailbox_drain(loop_mailbox(s->loop)) + mailbox_drain(answers) + mailbox_drain(kept) +
               (is_disk_hung ? 0 : mailbox_drain(loop_mailbox(s->files))) >
           0)
        ;
}

static void clean_up(void)
{
    if (s != NULL && !s->is_ended)
        supervisor_end(s);
    tcp.is_at_once = true; /* pending requests are answered before the supervisor is closed */
    if (tcp.start != NULL)
        scripted_answer_start(&tcp);
    if (tcp.stop != NULL)
        scripted_answer_stop(&tcp);
    supervisor_close(&s);
    mailbox_drain(answers);
    mailbox_drain(kept);
    mailbox_close(&answers);
    gateway_close(&gateway);
    mailbox_close(&kept);
    event_sink_close(&events);
    unlink(path);
    unlink(own);
    rmdir(folder);
}

static struct supervisor_request r;
static char given[2][64]; /* name and value of a SET, or contacts */

static enum err ask(enum supervisor_request_type what)
{
    unsigned before = answered;

    memset(&r, 0, sizeof r);
    r.type = what;
    r.name = given[0];
    r.value = given[1];
    r.wanted = given[0];
    r.request.answer_to = answers;
    r.request.on_answer = answer_received;
    cr_assert_eq(supervisor_post(s, &r), ERR_OK);
    pump();
    cr_assert_eq(answered, before + 1, "answered once");
    return r.request.result;
}

static const char *network_state(void)
{
    cr_assert_eq(ask(SUPERVISOR_STATUS), ERR_OK);
    return r.network_state;
}

static void bring_up(void)
{
    tcp.is_at_once = true;
    supervisor_begin(s);
    pump();
    cr_assert_str_eq(network_state(), "CONNECTED");
}

/* Fires a timer without waiting for its deadline. */
static void fire(struct timer *timer)
{
    cr_assert(timer->is_set);
    loop_cancel_timer(s->loop, timer);
    timer->fire(timer, timer->ctx);
    pump();
}

Test(supervisor, starts_and_reports_it, .init = a_supervisor, .fini = clean_up, .timeout = 10)
{
    tcp.counts = (struct transport_counts){.workers = 2, .sessions = 5, .files_in = 3};
    bring_up();
    cr_assert_str_eq(states, "START_UP UP TRANSPORTS? CONNECTED ");
    cr_assert_eq(r.transport_count, 1);
    cr_assert_str_eq(r.transports[0].proto, "tcp");
    cr_assert_str_eq(r.transports[0].state, "LISTENING");
    cr_assert_str_eq(r.transports[0].host, "127.0.0.1:7771");
    cr_assert(r.transports[0].is_enabled);
    cr_assert_eq(r.transports[0].counts.sessions, 5);
    cr_assert_eq(r.transports[0].counts.files_in, 3);
    cr_assert_str_eq(r.advice, "");
    cr_assert_eq(r.in_force.settings.tcp_connections.tcp_port, settings.tcp_connections.tcp_port);
    cr_assert_not(r.is_stopping);
}

Test(supervisor, a_busy_port_is_retried_until_it_is_free, .init = a_supervisor, .fini = clean_up,
     .timeout = 10)
{
    char expected[32];

    tcp.is_at_once = true;
    tcp.error = "cannot listen on 127.0.0.1:7771: in use";
    supervisor_begin(s);
    pump();
    cr_assert_str_eq(network_state(), "DISCONNECTED");
    cr_assert_not_null(strstr(r.advice, tcp.error), "%s", r.advice);
    snprintf(expected, sizeof expected, "in %u s", settings.network.retry_s);
    cr_assert_not_null(strstr(r.advice, expected), "%s", r.advice);
    cr_assert_str_eq(r.transports[0].state, "OFFLINE");
    cr_assert_str_eq(r.transports[0].last_error, tcp.error);
    fire(&s->connector.timer_5sec);
    cr_assert_eq(tcp.connects, 2);
    tcp.error = NULL;
    fire(&s->connector.timer_5sec);
    cr_assert_str_eq(network_state(), "CONNECTED");
    cr_assert_str_eq(r.advice, "");
    cr_assert_str_eq(r.transports[0].last_error, "");
}

/* Counts the log lines of `level` with `word` while `act` runs. */
static unsigned count_logged(void (*act)(void), const char *level, const char *word)
{
    char line[512], name[] = "/tmp/dustwire-log-XXXXXX";
    int file = mkstemp(name), saved = dup(STDERR_FILENO);
    unsigned count = 0;
    FILE *text;

    cr_assert_geq(file, 0);
    dup2(file, STDERR_FILENO);
    act();
    dup2(saved, STDERR_FILENO);
    text = fdopen(file, "r");
    rewind(text);
    while (fgets(line, sizeof line, text) != NULL)
        count += strstr(line, level) != NULL && strstr(line, word) != NULL;
    fclose(text);
    close(saved);
    unlink(name);
    return count;
}

static void try_again_twice(void)
{
    fire(&s->connector.timer_5sec);
    fire(&s->connector.timer_5sec);
}

static void begin(void)
{
    supervisor_begin(s);
    pump();
}

Test(supervisor, warns_of_a_busy_port_once_and_again_for_another_reason, .init = a_supervisor,
     .fini = clean_up, .timeout = 10)
{
    tcp.is_at_once = true;
    tcp.error = "cannot listen on 127.0.0.1:7771: in use";
    cr_assert_eq(count_logged(begin, "warning", tcp.error), 1);
    cr_assert_eq(count_logged(try_again_twice, "warning", "not connected"), 0);
    tcp.error = "cannot listen on 127.0.0.1:80: permission denied";
    s->connector.disconnects = 0;
    cr_assert_eq(count_logged(try_again_twice, "warning", tcp.error), 1);
}

Test(supervisor, many_outgoing_connects_cause_one_message_and_one_round, .init = a_supervisor,
     .fini = clean_up, .timeout = 10)
{
    tcp.is_at_once = true;
    tcp.error = "in use";
    begin();
    for (unsigned i = 0; i < 10; i++)
        supervisor_notify_connection_done(s);
    cr_assert_eq(mailbox_waiting(loop_mailbox(s->loop)), 1);
    pump();
    cr_assert_eq(tcp.connects, 2);
    supervisor_notify_connection_done(s); /* notified again, but 15 s have not passed */
    cr_assert_eq(mailbox_waiting(loop_mailbox(s->loop)), 1);
    pump();
    cr_assert_eq(tcp.connects, 2);
}

Test(supervisor, names_the_probe_that_failed, .init = a_supervisor, .fini = clean_up, .timeout = 10)
{
    bring_up();
    /* Port 1 of loopback: nothing listens. */
    snprintf(s->acting.settings.network.probe, sizeof s->acting.settings.network.probe,
             "127.0.0.1:1");
    cr_assert_eq(ask(SUPERVISOR_RECONNECT), ERR_OK);
    while (s->connector.automat.state == NETWORK_INTERNET)
        loop_turn(s->loop, 1000);
    cr_assert_str_eq(network_state(), "DISCONNECTED");
    cr_assert_not_null(strstr(r.advice, "127.0.0.1:1"), "%s", r.advice);
    s->acting.settings.network.probe[0] = '\0';
    fire(&s->connector.timer_5sec);
    cr_assert_str_eq(network_state(), "CONNECTED");
}

Test(supervisor, two_reconnects_cause_two_rounds, .init = a_supervisor, .fini = clean_up,
     .timeout = 10)
{
    bring_up();
    tcp.is_at_once = false;
    cr_assert_eq(ask(SUPERVISOR_RECONNECT), ERR_OK);
    cr_assert_eq(ask(SUPERVISOR_RECONNECT), ERR_OK);
    tcp.is_at_once = true;
    scripted_answer_stop(&tcp);
    pump();
    cr_assert_str_eq(network_state(), "CONNECTED");
    cr_assert_eq(tcp.connects, 3);
    cr_assert_eq(tcp.disconnects, 2);
    cr_assert_eq(tcp.grace_ms, 0);
}

Test(supervisor, a_check_without_a_change_restarts_no_transport, .init = a_supervisor,
     .fini = clean_up, .timeout = 10)
{
    bring_up();
    cr_assert_eq(ask(SUPERVISOR_CHECK_RECONNECT), ERR_OK);
    cr_assert_str_eq(network_state(), "CONNECTED");
    cr_assert_eq(tcp.disconnects, 0);
}

static struct contacts_request sending;

static enum err send_to(const char *contacts)
{
    unsigned before = answered;
    enum err e;

    memset(&sending, 0, sizeof sending);
    sending.send.request.answer_to = answers;
    sending.send.request.on_answer = answer_received;
    sending.contacts = strdup(contacts);
    cr_assert_eq(supervisor_send(s, &sending), ERR_OK);
    pump();
    cr_assert_eq(answered, before + 1);
    e = sending.send.request.result;
    free(sending.contacts);
    return e;
}

Test(supervisor, forwards_a_send_to_the_transport_of_its_contact, .init = a_supervisor,
     .fini = clean_up, .timeout = 10)
{
    bring_up();
    cr_assert_eq(send_to("udp://10.0.0.1:5 tcp://10.0.0.2:7771"), ERR_OK);
    cr_assert_eq(tcp.send, &sending.send);
    cr_assert_str_eq(tcp.send->route.contact.host, "10.0.0.2");
    cr_assert_eq(tcp.send->route.contact.port, 7771);
}

Test(supervisor, answers_a_send_itself_when_no_transport_can_take_it, .init = a_supervisor,
     .fini = clean_up, .timeout = 10)
{
    cr_assert_eq(send_to("tcp://10.0.0.2:7771"), ERR_NOT_FOUND, "nothing listens yet");
    bring_up();
    cr_assert_eq(send_to("udp://10.0.0.1:5"), ERR_NOT_FOUND);
    cr_assert_eq(sending.send.status, GATEWAY_TRANSFER_FAILED);
    cr_assert_not_null(strstr(sending.send.error, "no transport in common"), "%s",
                       sending.send.error);
    cr_assert_eq(send_to("http//what"), ERR_INVALID);
    cr_assert_null(tcp.send);
}

Test(supervisor, a_stop_gives_grace_and_reports_its_completion, .init = a_supervisor,
     .fini = clean_up, .timeout = 10)
{
    bring_up();
    tcp.is_at_once = false;
    cr_assert_eq(ask(SUPERVISOR_STOP), ERR_OK);
    cr_assert_eq(tcp.grace_ms, settings.sessions.stop_timeout_s * 1000);
    cr_assert_eq(stops, 0);
    cr_assert_eq(send_to("tcp://10.0.0.2:7771"), ERR_CLOSED);
    cr_assert_str_eq(sending.send.error, "disconnecting");
    cr_assert_eq(ask(SUPERVISOR_RECONNECT), ERR_CLOSED);
    cr_assert_eq(ask(SUPERVISOR_RELOAD), ERR_CLOSED);
    cr_assert_eq(ask(SUPERVISOR_STATUS), ERR_OK);
    cr_assert(r.is_stopping);
    cr_assert_neq(r.advice[0], '\0');
    cr_assert_eq(ask(SUPERVISOR_STOP), ERR_OK, "a second one changes nothing");
    scripted_answer_stop(&tcp);
    pump();
    cr_assert_eq(stops, 1);
    cr_assert_eq(tcp.disconnects, 1);
}

Test(supervisor, a_stop_with_nothing_open_completes_immediately, .init = a_supervisor,
     .fini = clean_up, .timeout = 10)
{
    tcp.is_at_once = true;
    tcp.error = "in use";
    supervisor_begin(s);
    pump();
    cr_assert_eq(ask(SUPERVISOR_STOP), ERR_OK);
    cr_assert_eq(stops, 1);
    cr_assert_eq(tcp.disconnects, 0);
}

Test(supervisor, a_stop_during_a_reconnect_waits_for_its_disconnect, .init = a_supervisor,
     .fini = clean_up, .timeout = 10)
{
    bring_up();
    tcp.is_at_once = false;
    ask(SUPERVISOR_RECONNECT);
    ask(SUPERVISOR_STOP);
    cr_assert_eq(stops, 0);
    scripted_answer_stop(&tcp);
    pump();
    cr_assert_eq(stops, 1);
    cr_assert_eq(tcp.connects, 1, "nothing starts after it");
}

Test(supervisor, an_invalid_file_changes_nothing_and_is_reported, .init = a_supervisor,
     .fini = clean_up, .timeout = 10)
{
    bring_up();
    write_settings("[services/tcp-connections]\ntcp-port = 99999\n[nonsense]\nkey = 1\n");
    cr_assert_eq(ask(SUPERVISOR_RELOAD), ERR_INVALID);
    cr_assert_not_null(strstr(r.text, "99999"), "%s", r.text);
    cr_assert_not_null(strstr(r.text, "nonsense"), "%s", r.text);
    cr_assert_eq(r.in_force.settings.tcp_connections.tcp_port, settings.tcp_connections.tcp_port);
    cr_assert_eq(tcp.settings_pushed + tcp.disconnects + settings_events, 0);
    unlink(path);
    cr_assert_eq(ask(SUPERVISOR_RELOAD), ERR_INVALID, "a missing file");
    cr_assert_neq(r.text[0], '\0');
}

Test(supervisor, an_unrelated_key_drops_no_session, .init = a_supervisor, .fini = clean_up,
     .timeout = 10)
{
    enum log_level level = log_get_level();

    bring_up();
    write_settings("[sessions]\nkeep-alive-s = 77\n[log]\nlevel = debug\n");
    cr_assert_eq(ask(SUPERVISOR_RELOAD), ERR_OK, "%s", r.text);
    cr_assert_eq(log_get_level(), LOG_LEVEL_DEBUG);
    log_set_level(level);
    cr_assert_eq(tcp.settings_pushed, 1);
    cr_assert_eq(tcp.settings.sessions.keep_alive_s, 77);
    cr_assert_eq(tcp.disconnects, 0);
    cr_assert_not_null(strstr(r.text, "77"), "%s", r.text);
    cr_assert_eq(settings_events, 1);
    write_settings("[log]\nlevel = debug\n");
    cr_assert_eq(ask(SUPERVISOR_RELOAD), ERR_OK);
    cr_assert_not_null(strstr(r.text, "reset to the default"), "%s", r.text);
    cr_assert_eq(ask(SUPERVISOR_RELOAD), ERR_OK);
    cr_assert_not_null(strstr(r.text, "nothing has changed"), "%s", r.text);
    cr_assert_eq(tcp.settings_pushed, 2);
    log_set_level(level);
}

Test(supervisor, another_port_restarts_the_transport, .init = a_supervisor, .fini = clean_up,
     .timeout = 10)
{
    bring_up();
    write_settings("[services/tcp-connections]\ntcp-port = 7782\n");
    cr_assert_eq(ask(SUPERVISOR_RELOAD), ERR_OK, "%s", r.text);
    cr_assert_eq(tcp.settings.tcp_connections.tcp_port, 7782);
    cr_assert_eq(tcp.disconnects, 1);
    cr_assert_eq(tcp.connects, 2);
    cr_assert_str_eq(network_state(), "CONNECTED");
    cr_assert_eq(r.in_force.settings.tcp_connections.tcp_port, 7782);
}

static enum err set(const char *name, const char *value)
{
    snprintf(given[0], sizeof given[0], "%s", name);
    snprintf(given[1], sizeof given[1], "%s", value);
    return ask(SUPERVISOR_SET);
}

Test(supervisor, setting_the_port_restarts_the_transport, .init = a_supervisor, .fini = clean_up,
     .timeout = 10)
{
    bring_up();
    cr_assert_eq(set("tcp-port", "7782"), ERR_OK, "%s", r.text);
    cr_assert_not_null(strstr(r.text, "tcp-port = 7782"), "%s", r.text);
    cr_assert_eq(tcp.settings.tcp_connections.tcp_port, 7782);
    cr_assert_eq(tcp.disconnects, 1);
    cr_assert_eq(tcp.connects, 2);
    cr_assert_eq(settings_events, 1);
    cr_assert_eq(set("tcp-port", "7782"), ERR_OK, "%s", r.text);
    cr_assert_eq(tcp.disconnects, 1, "the value is the same");
}

Test(supervisor, a_set_value_survives_a_reload, .init = a_supervisor, .fini = clean_up,
     .timeout = 10)
{
    bring_up();
    cr_assert_eq(set("priority", "7"), ERR_OK, "%s", r.text);
    cr_assert_eq(tcp.disconnects, 0);
    write_settings("[services/tcp-transport]\npriority = 9\nsending-enabled = false\n");
    cr_assert_eq(ask(SUPERVISOR_RELOAD), ERR_OK, "%s", r.text);
    cr_assert_eq(r.in_force.settings.tcp_transport.priority, 7);
    cr_assert_not(r.in_force.settings.tcp_transport.is_sending_enabled);
}

Test(supervisor, an_invalid_value_or_name_is_rejected, .init = a_supervisor, .fini = clean_up,
     .timeout = 10)
{
    bring_up();
    cr_assert_eq(set("tcp-port", "99999"), ERR_INVALID);
    cr_assert_eq(set("threads", "2"), ERR_NOT_FOUND);
    cr_assert_eq(tcp.settings_pushed + tcp.disconnects + settings_events, 0);
    cr_assert_neq(access(own, F_OK), 0);
}

static bool are_own_contacts(const char *contacts)
{
    snprintf(given[0], sizeof given[0], "%s", contacts);
    cr_assert_eq(ask(SUPERVISOR_VERIFY_CONTACTS), ERR_OK);
    return r.is_verified;
}

Test(supervisor, an_own_contact_requires_the_bound_address, .init = a_supervisor, .fini = clean_up,
     .timeout = 10)
{
    cr_assert_not(are_own_contacts("udp://1.2.3.4:5,tcp://10.0.0.2:7771"), "nothing listens yet");
    bring_up();
    cr_assert(are_own_contacts("udp://1.2.3.4:5,tcp://10.0.0.2:7771"));
    cr_assert(are_own_contacts("10.0.0.2:7771"));
    cr_assert_not(are_own_contacts("tcp://10.0.0.2:7772"));
    cr_assert_not(are_own_contacts("nonsense,,"));
    tcp.is_rebind_needed = true;
    cr_assert_not(are_own_contacts("tcp://10.0.0.2:7771"), "another port is bound");
    tcp.is_rebind_needed = false;
}

Test(supervisor, a_setting_that_needs_a_restart_is_named_and_unchanged, .init = a_supervisor,
     .fini = clean_up, .timeout = 10)
{
    bring_up();
    write_settings("[workers]\nthreads = 13\n");
    cr_assert_eq(ask(SUPERVISOR_RELOAD), ERR_OK, "%s", r.text);
    cr_assert_not_null(strstr(r.text, "restart"), "%s", r.text);
    cr_assert_not_null(strstr(r.text, "threads"), "%s", r.text);
    cr_assert_eq(r.in_force.settings.workers.threads, settings.workers.threads);
    cr_assert_eq(tcp.disconnects, 0);
}

Test(supervisor, a_transport_is_disabled_and_enabled_again, .init = a_supervisor, .fini = clean_up,
     .timeout = 10)
{
    bring_up();
    write_settings("[services/tcp-transport]\nenabled = false\n");
    cr_assert_eq(ask(SUPERVISOR_RELOAD), ERR_OK, "%s", r.text);
    cr_assert_eq(tcp.disconnects, 1);
    cr_assert_str_eq(network_state(), "DISCONNECTED");
    cr_assert_not_null(strstr(r.advice, "no transport is enabled"), "%s", r.advice);
    cr_assert_not(r.transports[0].is_enabled);
    cr_assert_eq(send_to("tcp://10.0.0.2:7771"), ERR_DISABLED);
    write_settings("");
    cr_assert_eq(ask(SUPERVISOR_RELOAD), ERR_OK, "%s", r.text);
    cr_assert_str_eq(network_state(), "CONNECTED");
}

/* Changes with a hung disk. */

enum { CHANGES_MAX = 66 }; /* the running one, as many as are queued, one too many */

static struct supervisor_request changes[CHANGES_MAX];
static char change_values[CHANGES_MAX][8];
static enum err change_results[CHANGES_MAX];
static unsigned changes_done, changes_done_in_order;

static void change_answered(struct message *m, void *owner)
{
    struct supervisor_request *done = CONTAINER_OF(m, struct supervisor_request, request.message);
    size_t which = (size_t)(done - changes);

    (void)owner;
    change_results[which] = done->request.result;
    changes_done_in_order += which == changes_done;
    changes_done++;
}

static void post_change(unsigned which, enum supervisor_request_type what, const char *value)
{
    static char name[] = "priority";

    snprintf(change_values[which], sizeof change_values[which], "%s", value);
    changes[which] =
        (struct supervisor_request){.request = {.answer_to = answers, .on_answer = change_answered},
                                    .type = what,
                                    .name = name,
                                    .value = change_values[which]};
    cr_assert_eq(supervisor_post(s, &changes[which]), ERR_OK);
    pump();
}

static unsigned priority(void)
{
    cr_assert_eq(ask(SUPERVISOR_STATUS), ERR_OK);
    return r.transports[0].priority;
}

Test(supervisor, a_hung_disk_delays_changes_and_nothing_else, .init = a_supervisor,
     .fini = clean_up, .timeout = 10)
{
    bring_up();
    write_settings("[sessions]\nkeep-alive-s = 77\n");
    is_disk_hung = true;
    post_change(0, SUPERVISOR_SET, "3");
    post_change(1, SUPERVISOR_RELOAD, "");
    post_change(2, SUPERVISOR_SET, "4");
    cr_assert_eq(send_to("tcp://10.0.0.2:7771"), ERR_OK);
    cr_assert_eq(changes_done, 0);
    cr_assert_eq(priority(), 1, "nothing is in force before it is on the disk");
    is_disk_hung = false;
    pump();
    cr_assert_eq(changes_done, 3);
    cr_assert_eq(changes_done_in_order, 3);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(change_results[i], ERR_OK, "%u: %s", i, changes[i].text);
    cr_assert_eq(priority(), 4);
    cr_assert_eq(r.in_force.settings.sessions.keep_alive_s, 77);
    cr_assert_eq(changes[1].in_force.settings.tcp_transport.priority, 3, "as of the reload");
}

Test(supervisor, a_stop_completes_the_running_change_and_refuses_the_others, .init = a_supervisor,
     .fini = clean_up, .timeout = 10)
{
    bring_up();
    is_disk_hung = true;
    post_change(0, SUPERVISOR_SET, "3");
    post_change(1, SUPERVISOR_SET, "4");
    cr_assert_eq(ask(SUPERVISOR_STOP), ERR_OK);
    cr_assert_eq(stops, 1, "the transports do not wait for it");
    cr_assert_eq(changes_done, 1);
    cr_assert_eq(change_results[1], ERR_CLOSED);
    is_disk_hung = false;
    pump();
    cr_assert_eq(change_results[0], ERR_OK);
    cr_assert_not_null(strstr(changes[0].text, "at the next start"), "%s", changes[0].text);
    cr_assert_eq(access(own, F_OK), 0, "it is written");
}

static void fill_the_queue_and_reload(void)
{
    bring_up();
    is_disk_hung = true;
    for (unsigned i = 0; i < CHANGES_MAX - 1; i++)
        post_change(i, SUPERVISOR_SET, "3");
    cr_assert_eq(changes_done, 0);
    post_change(CHANGES_MAX - 1, SUPERVISOR_RELOAD, "");
}

Test(supervisor, a_reload_that_finds_the_queue_full_is_refused_and_logged, .init = a_supervisor,
     .fini = clean_up, .timeout = 10)
{
    cr_assert_eq(count_logged(fill_the_queue_and_reload, "error", "too many queued"), 1);
    cr_assert_eq(changes_done, 1);
    cr_assert_eq(change_results[CHANGES_MAX - 1], ERR_FULL);
    is_disk_hung = false;
    pump();
    cr_assert_eq(changes_done, CHANGES_MAX);
}

Test(supervisor, reloads_merge_with_a_queued_one_and_leave_room_for_others, .init = a_supervisor,
     .fini = clean_up, .timeout = 10)
{
    bring_up();
    is_disk_hung = true;
    for (unsigned i = 0; i < CHANGES_MAX - 1; i++)
        post_change(i, SUPERVISOR_RELOAD, "");
    post_change(CHANGES_MAX - 1, SUPERVISOR_SET, "4");
    cr_assert_eq(changes_done, 0, "the SET is queued");
    write_settings("[sessions]\nkeep-alive-s = 77\n");
    is_disk_hung = false;
    pump();
    cr_assert_eq(changes_done, CHANGES_MAX);
    for (unsigned i = 0; i < CHANGES_MAX; i++)
        cr_assert_eq(change_results[i], ERR_OK, "%u: %s", i, changes[i].text);
    cr_assert_eq(settings_events, 3, "the running reload, the merged ones together, the SET");
    cr_assert_eq(changes[2].in_force.settings.sessions.keep_alive_s, 77);
    cr_assert_str_eq(changes[2].text, changes[1].text);
    cr_assert_eq(priority(), 4);
}

Test(supervisor, a_stop_refuses_merged_reloads, .init = a_supervisor, .fini = clean_up,
     .timeout = 10)
{
    bring_up();
    is_disk_hung = true;
    for (unsigned i = 0; i < 3; i++)
        post_change(i, SUPERVISOR_RELOAD, "");
    cr_assert_eq(ask(SUPERVISOR_STOP), ERR_OK);
    cr_assert_eq(changes_done, 2);
    cr_assert_eq(change_results[1], ERR_CLOSED);
    cr_assert_eq(change_results[2], ERR_CLOSED);
    is_disk_hung = false;
    pump();
    cr_assert_eq(change_results[0], ERR_CLOSED);
}

static void stop_during(enum supervisor_request_type what, const char *value)
{
    bring_up();
    write_settings("[sessions]\nkeep-alive-s = 77\n");
    is_disk_hung = true;
    post_change(0, what, value);
    cr_assert_eq(ask(SUPERVISOR_STOP), ERR_OK);
    is_disk_hung = false;
    pump();
    cr_assert_eq(changes_done, 1);
    cr_assert_neq(access(own, F_OK), 0, "nothing is written");
}

Test(supervisor, a_set_that_fails_during_a_stop_gives_its_reason, .init = a_supervisor,
     .fini = clean_up, .timeout = 10)
{
    stop_during(SUPERVISOR_SET, "none");
    cr_assert_eq(change_results[0], ERR_INVALID);
    cr_assert_eq(strncmp(changes[0].text, "priority", 8), 0, "%s", changes[0].text);
}

Test(supervisor, an_unset_of_nothing_during_a_stop_says_so, .init = a_supervisor, .fini = clean_up,
     .timeout = 10)
{
    stop_during(SUPERVISOR_UNSET, "");
    cr_assert_eq(change_results[0], ERR_OK);
    cr_assert_null(strstr(changes[0].text, "written"), "%s", changes[0].text);
    cr_assert_not_null(strstr(changes[0].text, "not been set"), "%s", changes[0].text);
}

Test(supervisor, a_running_change_is_answered_after_the_end_of_the_thread, .init = a_supervisor,
     .fini = clean_up, .timeout = 10)
{
    bring_up();
    is_disk_hung = true;
    post_change(0, SUPERVISOR_RELOAD, "");
    post_change(1, SUPERVISOR_SET, "4");
    supervisor_end(s);
    mailbox_drain(loop_mailbox(s->files));
    supervisor_close(&s);
    mailbox_drain(answers);
    cr_assert_eq(changes_done, 2);
    cr_assert_eq(change_results[0], ERR_CLOSED);
    cr_assert_eq(change_results[1], ERR_CLOSED);
}

Test(supervisor, a_service_stays_off_if_one_it_needs_is_off, .init = open_all, .fini = clean_up,
     .timeout = 10)
{
    settings.gateway_service.is_enabled = false;
    open_supervisor();
    tcp.is_at_once = true;
    supervisor_begin(s);
    pump();
    cr_assert_str_eq(network_state(), "DISCONNECTED");
    cr_assert_not_null(strstr(r.advice, "gateway"), "%s", r.advice);
    cr_assert_eq(tcp.connects, 0);
    cr_assert_eq(ask(SUPERVISOR_SERVICES), ERR_OK);
    cr_assert_eq(r.service_count, 3);
    cr_assert_str_eq(r.services[2].name, "tcp_transport");
    cr_assert_str_eq(r.services[2].state, "OFF");
    cr_assert_not_null(strstr(r.services[2].reason, "needs gateway"), "%s", r.services[2].reason);
}

Test(supervisor, a_reload_without_a_file_fails_with_a_reason, .init = open_all, .fini = clean_up,
     .timeout = 10)
{
    path[0] = '\0';
    open_supervisor();
    bring_up();
    cr_assert_eq(ask(SUPERVISOR_RELOAD), ERR_INVALID);
    cr_assert_not_null(strstr(r.text, "without --config"), "%s", r.text);
}

/* The thread. */

static void wait_for_message(void)
{
    struct pollfd ready = {.fd = mailbox_fd(answers), .events = POLLIN};

    cr_assert_eq(poll(&ready, 1, 5000), 1);
    mailbox_drain(answers);
}

static void ask_thread(enum supervisor_request_type what)
{
    unsigned before = answered;

    memset(&r, 0, sizeof r);
    r.type = what;
    r.request.answer_to = answers;
    r.request.on_answer = answer_received;
    cr_assert_eq(supervisor_post(s, &r), ERR_OK);
    while (answered == before)
        wait_for_message();
}

Test(supervisor, runs_in_its_own_thread_from_start_to_stop, .init = a_supervisor, .fini = clean_up,
     .timeout = 10)
{
    tcp.is_at_once = true;
    cr_assert_eq(supervisor_start(s), ERR_OK);
    do
        ask_thread(SUPERVISOR_STATUS);
    while (strcmp(r.network_state, "CONNECTED") != 0);
    for (unsigned i = 0; i < 100; i++)
        supervisor_notify_connection_done(s);
    ask_thread(SUPERVISOR_RECONNECT);
    ask_thread(SUPERVISOR_STOP);
    while (stops == 0)
        wait_for_message();
    supervisor_stop(s);
    r.type = SUPERVISOR_STATUS;
    cr_assert_eq(supervisor_post(s, &r), ERR_CLOSED);
}

Test(supervisor, a_stopped_thread_returns_pending_requests, .init = a_supervisor, .fini = clean_up,
     .timeout = 10)
{
    cr_assert_eq(supervisor_start(s), ERR_OK);
    ask_thread(SUPERVISOR_STATUS); /* the connect is pending */
    supervisor_stop(s);
    cr_assert_not_null(tcp.start);
    cr_assert_eq(stops, 0);
}
