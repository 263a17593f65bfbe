#include "supervisor/network_transport.h"

#include "supervisor/automata.h"
#include "supervisor/scripted.h"

#include <string.h>

static struct gateway *gateway;
static struct event_sink *events;
static struct mailbox *box;
static struct scripted tcp;
static struct network_transport t;
static unsigned changes, ends;

/* Records each step, then calls the automaton's own hook. */
static struct automat_kind recording;
static struct {
    uint8_t from, event, to;
} steps[8];
static unsigned step_count;

static void record(void *self, uint8_t from, uint8_t event, uint8_t to)
{
    cr_assert_lt(step_count, 8);
    steps[step_count].from = from;
    steps[step_count].event = event;
    steps[step_count++].to = to;
    network_transport_kind.stepped(self, from, event, to);
}

static void count_change(void *ctx, struct network_transport *changed)
{
    (void)ctx;
    cr_assert_eq(changed, &t);
    cr_assert_not(changed->automat.is_running, "called after the step");
    changes++;
}

static void count_end(void *ctx, struct network_transport *ended)
{
    (void)ctx, (void)ended;
    ends++;
}

static void reset(void)
{
    scripted_init(&tcp, "tcp");
    network_transport_init(&t, &(struct network_transport_config){
                                   .gateway = gateway,
                                   .registered = gateway_find(gateway, "tcp"),
                                   .events = events,
                                   .answer_to = box,
                                   .changed = count_change,
                                   .ended = count_end,
                               });
    recording = network_transport_kind;
    recording.stepped = record;
    t.automat.kind = &recording;
    changes = ends = step_count = 0;
}

static void a_transport(void)
{
    cr_assert_eq(event_sink_open(&events), ERR_OK);
    cr_assert_eq(gateway_open(&gateway, events), ERR_OK);
    cr_assert_eq(mailbox_open(&box, 16, NULL), ERR_OK);
    scripted_init(&tcp, "tcp");
    cr_assert_eq(gateway_add(gateway, &tcp.row), ERR_OK);
    reset();
}

static void clean_up(void)
{
    while (mailbox_drain(box) > 0)
        ;
    mailbox_close(&box);
    gateway_close(&gateway);
    event_sink_close(&events);
}

static const struct spec_row spec[] = {
    {"AT_STARTUP", "init", "", "INIT", {"StopNow = StartNow = false", "doInit"}},
    {"INIT", "start", "", "INIT", {"StartNow = true"}},
    {"INIT", "restart", "", "INIT", {"StartNow = true"}},
    {"INIT",
     "transport-initialized",
     "StartNow",
     "STARTING",
     {"doCreateProxy", "StartNow = false", "doStart"}},
    {"INIT", "transport-initialized", "not StartNow", "OFFLINE", {"doCreateProxy"}},
    {"INIT", "shutdown", "", "CLOSED", {"doDestroyMe"}},
    {"OFFLINE", "start", "", "STARTING", {"StopNow = StartNow = false", "doStart"}},
    {"OFFLINE", "restart", "", "STARTING", {"StopNow = StartNow = false", "doStart"}},
    {"OFFLINE", "shutdown", "", "CLOSED", {"doDestroyMe"}},
    {"STARTING", "receiving-started", "not StopNow", "LISTENING", {"doSaveOptions"}},
    {"STARTING", "receiving-started", "StopNow", "STOPPING", {"StopNow = false", "doStop"}},
    {"STARTING", "failed", "", "OFFLINE", {NULL}},
    {"STARTING", "stop", "", "STARTING", {"StopNow = true"}},
    {"STARTING", "start", "StopNow", "STARTING", {"StartNow = true"}},
    {"STARTING", "restart", "", "STARTING", {"StopNow = StartNow = true"}},
    {"STARTING", "shutdown", "", "CLOSED", {"doDestroyMe"}},
    {"LISTENING", "stop", "", "STOPPING", {"StopNow = false", "doStop"}},
    {"LISTENING", "restart", "", "STOPPING", {"StopNow = false", "StartNow = true", "doStop"}},
    {"LISTENING", "shutdown", "", "CLOSED", {"doStop", "doDestroyMe"}},
    {"STOPPING", "stopped", "not StartNow", "OFFLINE", {NULL}},
    {"STOPPING", "stopped", "StartNow", "STARTING", {"StartNow = false", "doStart"}},
    {"STOPPING", "start", "", "STOPPING", {"StartNow = true"}},
    {"STOPPING", "restart", "", "STOPPING", {"StartNow = true"}},
    {"STOPPING", "stop", "", "STOPPING", {"StartNow = false"}},
    {"STOPPING", "shutdown", "", "CLOSED", {"doDestroyMe"}},
};
enum { SPEC_COUNT = sizeof spec / sizeof spec[0] };

Test(network_transport, has_the_rows_of_the_specification_in_their_order, .timeout = 10)
{
    cr_assert_eq(network_transport_kind.row_count, SPEC_COUNT);
    for (unsigned i = 0; i < SPEC_COUNT; i++)
        spec_check_row(&network_transport_kind, &network_transport_kind.rows[i], &spec[i]);
    cr_assert_str_eq(network_transport_kind.state_names[network_transport_kind.first],
                     "AT_STARTUP");
    cr_assert_str_eq(network_transport_kind.state_names[network_transport_kind.last], "CLOSED");
}

/* Sets the flags that the row's condition needs, the others so that its action changes them. */
static void set_flags(const struct spec_row *row)
{
    bool is_negative = strncmp(row->guard, "not ", 4) == 0;

    t.start_now = t.stop_now = true;
    if (strstr(row->guard, "StartNow") != NULL)
        t.start_now = !is_negative;
    if (strstr(row->guard, "StopNow") != NULL)
        t.stop_now = !is_negative;
    if (spec_has_action(row, "StartNow = true"))
        t.start_now = false;
    if (spec_has_action(row, "StopNow = true"))
        t.stop_now = false;
    if (spec_has_action(row, "StopNow = StartNow = true"))
        t.start_now = t.stop_now = false;
}

static void expect_flags(const struct spec_row *row, bool start_now, bool stop_now)
{
    for (unsigned i = 0; i < AUTOMAT_ACTIONS_MAX && row->actions[i] != NULL; i++) {
        const char *word = row->actions[i];
        bool is_true = strstr(word, "= true") != NULL;

        if (strstr(word, "StartNow") != NULL)
            start_now = is_true;
        if (strstr(word, "StopNow") != NULL)
            stop_now = is_true;
        if (strcmp(word, "doDestroyMe") == 0)
            start_now = stop_now = false;
    }
    cr_assert_eq(t.start_now, start_now, "StartNow after %s, %s", row->from, row->event);
    cr_assert_eq(t.stop_now, stop_now, "StopNow after %s, %s", row->from, row->event);
}

Test(network_transport, takes_each_row, .init = a_transport, .fini = clean_up, .timeout = 10)
{
    for (unsigned i = 0; i < SPEC_COUNT; i++) {
        const struct automat_row *row = &network_transport_kind.rows[i];
        bool start_now, stop_now;

        reset();
        t.automat.state = row->from;
        set_flags(&spec[i]);
        start_now = t.start_now;
        stop_now = t.stop_now;
        network_transport_feed(&t, (enum network_transport_event)row->event);
        cr_assert_geq(step_count, 1);
        cr_assert(steps[0].from == row->from && steps[0].event == row->event &&
                      steps[0].to == row->to,
                  "row %u: %s, %s", i, spec[i].from, spec[i].event);
        cr_assert_eq(tcp.connects, spec_has_action(&spec[i], "doStart"));
        cr_assert_eq(tcp.disconnects, spec_has_action(&spec[i], "doStop"));
        cr_assert_eq(changes, row->from != row->to);
        expect_flags(&spec[i], start_now, stop_now);
    }
}

Test(network_transport, ignores_each_event_without_a_row, .init = a_transport, .fini = clean_up,
     .timeout = 10)
{
    unsigned pairs = 0;

    for (unsigned state = 0; state < TRANSPORT_STATE_COUNT; state++) {
        for (unsigned event = 0; event < TRANSPORT_EVENT_COUNT; event++) {
            struct network_transport before;

            if (spec_has_row(&network_transport_kind, state, event))
                continue;
            reset();
            t.automat.state = (uint8_t)state;
            t.is_ended = state == TRANSPORT_CLOSED;
            memcpy(&before, &t, sizeof t);
            network_transport_feed(&t, (enum network_transport_event)event);
            cr_assert_eq(memcmp(&before, &t, sizeof t), 0, "state %u, event %u", state, event);
            cr_assert_eq(step_count + tcp.connects + tcp.disconnects + changes + ends, 0);
            pairs++;
        }
    }
    cr_assert_gt(pairs, 30);
}

Test(network_transport, start_without_stop_now_changes_nothing_while_starting, .init = a_transport,
     .fini = clean_up, .timeout = 10)
{
    t.automat.state = TRANSPORT_STARTING;
    network_transport_feed(&t, TRANSPORT_EV_START);
    cr_assert_eq(step_count, 0);
    cr_assert_not(t.start_now);
}

static void bring_up(void)
{
    network_transport_feed(&t, TRANSPORT_EV_INIT);
    network_transport_feed(&t, TRANSPORT_EV_START);
    scripted_answer_start(&tcp);
    mailbox_drain(box);
    cr_assert_str_eq(automat_state_name(&t.automat), "LISTENING");
}

Test(network_transport, keeps_the_registry_up_to_date, .init = a_transport, .fini = clean_up,
     .timeout = 10)
{
    struct gateway_transport *registered = gateway_find(gateway, "tcp");

    cr_assert_str_eq(registered->state, "AT_STARTUP");
    bring_up();
    cr_assert(registered->is_listening);
    cr_assert_str_eq(registered->state, "LISTENING");
    cr_assert_str_eq(t.host, "127.0.0.1:7771");
    network_transport_feed(&t, TRANSPORT_EV_STOP);
    cr_assert_not(registered->is_listening);
    cr_assert_str_eq(t.host, "");
    cr_assert_eq(tcp.grace_ms, 0);
    scripted_answer_stop(&tcp);
    mailbox_drain(box);
    cr_assert_str_eq(registered->state, "OFFLINE");
}

Test(network_transport, remembers_why_a_start_failed_until_one_succeeds, .init = a_transport,
     .fini = clean_up, .timeout = 10)
{
    network_transport_feed(&t, TRANSPORT_EV_INIT);
    network_transport_feed(&t, TRANSPORT_EV_START);
    tcp.error = "cannot listen on 127.0.0.1:7771: in use";
    scripted_answer_start(&tcp);
    mailbox_drain(box);
    cr_assert_str_eq(automat_state_name(&t.automat), "OFFLINE");
    cr_assert_str_eq(t.last_error, tcp.error);
    network_transport_feed(&t, TRANSPORT_EV_START);
    tcp.error = NULL;
    scripted_answer_start(&tcp);
    mailbox_drain(box);
    cr_assert_str_eq(t.last_error, "");
}

Test(network_transport, a_restart_goes_down_and_up_again, .init = a_transport, .fini = clean_up,
     .timeout = 10)
{
    bring_up();
    network_transport_feed(&t, TRANSPORT_EV_RESTART);
    scripted_answer_stop(&tcp);
    mailbox_drain(box);
    cr_assert_str_eq(automat_state_name(&t.automat), "STARTING");
    scripted_answer_start(&tcp);
    mailbox_drain(box);
    cr_assert_str_eq(automat_state_name(&t.automat), "LISTENING");
    cr_assert_eq(tcp.connects, 2);
}

Test(network_transport, a_shutdown_ends_when_the_disconnect_completes, .init = a_transport,
     .fini = clean_up, .timeout = 10)
{
    bring_up();
    network_transport_shutdown(&t, 12000);
    cr_assert_str_eq(automat_state_name(&t.automat), "CLOSED");
    cr_assert_eq(tcp.grace_ms, 12000);
    cr_assert_eq(ends, 0);
    scripted_answer_stop(&tcp);
    mailbox_drain(box);
    cr_assert_eq(ends, 1);
}

Test(network_transport, a_shutdown_while_starting_stops_what_still_starts, .init = a_transport,
     .fini = clean_up, .timeout = 10)
{
    network_transport_feed(&t, TRANSPORT_EV_INIT);
    network_transport_feed(&t, TRANSPORT_EV_START);
    network_transport_shutdown(&t, 12000);
    cr_assert_eq(ends, 0);
    scripted_answer_start(&tcp);
    mailbox_drain(box);
    cr_assert_eq(tcp.disconnects, 1);
    cr_assert_eq(tcp.grace_ms, 0);
    cr_assert_eq(ends, 0);
    scripted_answer_stop(&tcp);
    mailbox_drain(box);
    cr_assert_eq(ends, 1);
}

Test(network_transport, a_shutdown_during_a_failing_start_ends_with_its_answer, .init = a_transport,
     .fini = clean_up, .timeout = 10)
{
    network_transport_feed(&t, TRANSPORT_EV_INIT);
    network_transport_feed(&t, TRANSPORT_EV_START);
    network_transport_shutdown(&t, 12000);
    tcp.error = "in use";
    scripted_answer_start(&tcp);
    mailbox_drain(box);
    cr_assert_eq(tcp.disconnects, 0);
    cr_assert_eq(ends, 1);
}
