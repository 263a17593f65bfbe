#include "supervisor/network_connector.h"

#include "supervisor/automata.h"
#include "supervisor/scripted.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TRANSPORTS = 2 };

static struct event_sink *events; /* without a receiver */
static struct gateway *gateway;
static struct loop *loop; /* not started: the test runs its turns */
static struct settings settings;
static struct scripted scripted[TRANSPORTS];
static struct network_transport transports[TRANSPORTS];
static struct network_connector n;
static bool has_address;
static unsigned settled;

static struct automat_kind recording;
static struct {
    uint8_t from, event, to;
} steps[64];
static unsigned step_count;

static void record(void *self, uint8_t from, uint8_t event, uint8_t to)
{
    cr_assert_lt(step_count, 64);
    steps[step_count].from = from;
    steps[step_count].event = event;
    steps[step_count++].to = to;
    network_connector_kind.stepped(self, from, event, to);
}

static bool scripted_address(void)
{
    return has_address;
}

static void count_settled(void *ctx, enum network_connector_state state)
{
    (void)ctx, (void)state;
    settled++;
}

static void transport_changed(void *ctx, struct network_transport *t)
{
    (void)ctx, (void)t;
    network_connector_transport_changed(&n);
}

static void transport_ended(void *ctx, struct network_transport *t)
{
    (void)ctx, (void)t;
}

static void reset(void)
{
    static const char *const protos[TRANSPORTS] = {"tcp", "udp"};

    network_connector_end(&n);
    settings_default(&settings);
    settings.tcp_transport.is_enabled = settings.tcp_connections.is_enabled = true;
    settings.gateway_service.is_enabled = true;
    has_address = true;
    for (unsigned i = 0; i < TRANSPORTS; i++) {
        struct gateway_transport *registered = gateway_transport_at(gateway, i);

        scripted_init(&scripted[i], protos[i]);
        registered->is_enabled = i == 0;
        registered->priority = i + 1;
        network_transport_init(&transports[i], &(struct network_transport_config){
                                                   .gateway = gateway,
                                                   .registered = registered,
                                                   .answer_to = loop_mailbox(loop),
                                                   .changed = transport_changed,
                                                   .ended = transport_ended,
                                               });
        transports[i].automat.state = TRANSPORT_OFFLINE;
    }
    network_connector_init(&n, &(struct network_connector_config){
                                   .loop = loop,
                                   .transports = transports,
                                   .transport_count = TRANSPORTS,
                                   .settings = &settings,
                                   .has_address = scripted_address,
                                   .settled = count_settled,
                               });
    recording = network_connector_kind;
    recording.stepped = record;
    n.automat.kind = &recording;
    step_count = settled = 0;
}

static void a_network(void)
{
    static const char *const protos[TRANSPORTS] = {"tcp", "udp"};

    cr_assert_eq(event_sink_open(&events), ERR_OK);
    cr_assert_eq(gateway_open(&gateway, events), ERR_OK);
    cr_assert_eq(loop_open(&loop, &(struct loop_config){.name = "test", .mailbox_limit = 16}),
                 ERR_OK);
    for (unsigned i = 0; i < TRANSPORTS; i++) {
        scripted_init(&scripted[i], protos[i]);
        cr_assert_eq(gateway_add(gateway, &scripted[i].row), ERR_OK);
    }
    network_connector_init(&n, &(struct network_connector_config){.loop = loop});
    reset();
}

static void clean_up(void)
{
    network_connector_end(&n);
    while (mailbox_drain(loop_mailbox(loop)) > 0)
        ;
    loop_close(&loop);
    gateway_close(&gateway);
    event_sink_close(&events);
}

#define ROUND                                                              \
    {                                                                      \
        "doRememberTime", "Disconnects += 1", "Reset = false", "doSetDown" \
    }
#define TAKE_DOWN                                       \
    {                                                   \
        "Disconnects = 0", "Reset = false", "doSetDown" \
    }
#define RESET_DOWN                                      \
    {                                                   \
        "Reset = false", "Disconnects = 0", "doSetDown" \
    }
#define LISTENING "not Reset, isAllReady, isAllListening"
#define RESET     "Reset, isAllReady"
#define OFFLINE   "isAllReady, not isAllListening"
static const struct spec_row spec[] = {
    {"AT_STARTUP",
     "init",
     "",
     "START_UP",
     {"Disconnects = 0", "Reset = false", "ColdStart = true", "doCheckNetworkInterfaces"}},
    {"START_UP", "got-network-info", "not isNetworkActive", "DISCONNECTED", {"Disconnects = 3"}},
    {"START_UP", "reconnect", "", "UP", {"doSetUp"}},
    {"START_UP", "check-reconnect", "", "UP", {"doSetUp"}},
    {"UP",
     "network-up",
     "ColdStart",
     "TRANSPORTS?",
     {"doColdStartNetworkTransports", "ColdStart = false"}},
    {"UP",
     "network-up",
     "not ColdStart, not isNeedUPNP",
     "TRANSPORTS?",
     {"doStartNetworkTransports"}},
    {"UP", "network-up", "not ColdStart, isNeedUPNP", "UPNP", {"doUPNP"}},
    {"UP", "reconnect", "", "UP", {"Reset = true"}},
    {"UP", "check-reconnect", "", "UP", {"Reset = true"}},
    {"UPNP", "upnp-done", "", "TRANSPORTS?", {"doStartNetworkTransports"}},
    {"UPNP", "reconnect", "", "UPNP", {"Reset = true"}},
    {"UPNP", "check-reconnect", "", "UPNP", {"Reset = true"}},
    {"TRANSPORTS?", "all-network-transports-ready", LISTENING, "CONNECTED", {NULL}},
    {"TRANSPORTS?", "network-transports-verified", LISTENING, "CONNECTED", {NULL}},
    {"TRANSPORTS?", "network-transport-state-changed", LISTENING, "CONNECTED", {NULL}},
    {"TRANSPORTS?", "all-network-transports-ready", RESET, "DOWN", RESET_DOWN},
    {"TRANSPORTS?", "network-transports-verified", RESET, "DOWN", RESET_DOWN},
    {"TRANSPORTS?", "network-transport-state-changed", RESET, "DOWN", RESET_DOWN},
    {"TRANSPORTS?", "all-network-transports-disabled", RESET, "DOWN", RESET_DOWN},
    {"TRANSPORTS?", "gateway-is-not-started", RESET, "DOWN", RESET_DOWN},
    {"TRANSPORTS?", "all-network-transports-disabled", OFFLINE, "DISCONNECTED", {NULL}},
    {"TRANSPORTS?", "gateway-is-not-started", OFFLINE, "DISCONNECTED", {NULL}},
    {"TRANSPORTS?", "network-transport-state-changed", OFFLINE, "DISCONNECTED", {NULL}},
    {"TRANSPORTS?", "reconnect", "", "TRANSPORTS?", {"Reset = true"}},
    {"TRANSPORTS?", "check-reconnect", "", "TRANSPORTS?", {"Reset = true"}},
    {"CONNECTED", "reconnect", "", "DOWN", TAKE_DOWN},
    {"CONNECTED", "timer-5sec", "Reset, or not isConnectionAlive", "DOWN", TAKE_DOWN},
    {"CONNECTED", "check-reconnect", "", "TRANSPORTS?", {"doVerifyTransports"}},
    {"DOWN", "network-down", "", "NETWORK?", {"doCheckNetworkInterfaces"}},
    {"DOWN", "reconnect", "", "DOWN", {"Reset = true"}},
    {"NETWORK?", "reconnect", "", "NETWORK?", {"Reset = true"}},
    {"INTERNET?", "reconnect", "", "INTERNET?", {"Reset = true"}},
    {"NETWORK?", "got-network-info", "not isNetworkActive", "DISCONNECTED", {NULL}},
    {"NETWORK?",
     "got-network-info",
     "isNetworkActive, isCurrentInterfaceActive",
     "INTERNET?",
     {"doPing"}},
    {"NETWORK?",
     "got-network-info",
     "isNetworkActive, not isCurrentInterfaceActive",
     "UP",
     {"doSetUp"}},
    {"INTERNET?", "internet-success", "", "UP", {"doSetUp"}},
    {"INTERNET?", "internet-failed", "", "DISCONNECTED", {NULL}},
    {"DISCONNECTED", "reconnect", "", "DOWN", ROUND},
    {"DISCONNECTED", "check-reconnect", "", "DOWN", ROUND},
    {"DISCONNECTED", "timer-1hour", "", "DOWN", ROUND},
    {"DISCONNECTED", "timer-5sec", "Disconnects < 3, or Reset", "DOWN", ROUND},
    {"DISCONNECTED", "connection-done", "isTimePassed", "DOWN", ROUND},
};
enum { SPEC_COUNT = sizeof spec / sizeof spec[0] };

Test(network_connector, has_the_rows_of_the_specification_in_their_order, .timeout = 10)
{
    cr_assert_eq(network_connector_kind.row_count, SPEC_COUNT);
    for (unsigned i = 0; i < SPEC_COUNT; i++)
        spec_check_row(&network_connector_kind, &network_connector_kind.rows[i], &spec[i]);
    cr_assert_str_eq(network_connector_kind.state_names[network_connector_kind.first],
                     "AT_STARTUP");
    cr_assert_eq(network_connector_kind.last, network_connector_kind.state_count);
}

/* Sets up each condition to hold (true) or to fail (false). */
static void when_not_active(bool holds)
{
    n.is_network_active = !holds;
}
static void when_active_here(bool holds)
{
    n.is_network_active = true;
    n.is_current_interface_active = holds;
}
static void when_active_elsewhere(bool holds)
{
    n.is_network_active = true;
    n.is_current_interface_active = !holds;
}
static void when_cold(bool holds)
{
    n.cold_start = holds;
}
static void when_warm(bool holds)
{
    n.cold_start = !holds;
}
static void when_listening(bool holds)
{
    transports[0].automat.state = holds ? TRANSPORT_LISTENING : TRANSPORT_STARTING;
}
static void when_reset(bool holds)
{
    n.reset = true;
    transports[0].automat.state = holds ? TRANSPORT_LISTENING : TRANSPORT_STOPPING;
}
static void when_offline(bool holds)
{
    transports[0].automat.state = holds ? TRANSPORT_OFFLINE : TRANSPORT_STARTING;
}
static void when_reset_or_dead(bool holds)
{
    transports[0].automat.state = holds ? TRANSPORT_OFFLINE : TRANSPORT_LISTENING;
}
static void when_quick(bool holds)
{
    n.disconnects = holds ? 2 : 3;
}
static void when_time_passed(bool holds)
{
    n.has_round = true;
    n.round_at_ms = loop_now_ms(loop) - (holds ? NETWORK_ROUND_MS : NETWORK_ROUND_MS - 1);
}

static const struct {
    const char *words;
    void (*make)(bool holds);
} conditions[] = {
    {"not isNetworkActive", when_not_active},
    {"isNetworkActive, isCurrentInterfaceActive", when_active_here},
    {"isNetworkActive, not isCurrentInterfaceActive", when_active_elsewhere},
    {"ColdStart", when_cold},
    {"not ColdStart, not isNeedUPNP", when_warm},
    {LISTENING, when_listening},
    {RESET, when_reset},
    {OFFLINE, when_offline},
    {"Reset, or not isConnectionAlive", when_reset_or_dead},
    {"Disconnects < 3, or Reset", when_quick},
    {"isTimePassed", when_time_passed},
};

static bool set_condition(const char *words, bool holds)
{
    for (unsigned i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
        if (strcmp(conditions[i].words, words) == 0) {
            conditions[i].make(holds);
            return true;
        }
    }
    return false;
}

/* isNeedUPNP is false while port mapping is not implemented: its row cannot be taken. */
static bool is_unreachable(const struct spec_row *row)
{
    return strcmp(row->guard, "not ColdStart, isNeedUPNP") == 0;
}

Test(network_connector, takes_each_row, .init = a_network, .fini = clean_up, .timeout = 10)
{
    unsigned taken = 0;

    for (unsigned i = 0; i < SPEC_COUNT; i++) {
        const struct automat_row *row = &network_connector_kind.rows[i];

        if (is_unreachable(&spec[i]))
            continue;
        reset();
        n.automat.state = row->from;
        cr_assert(spec[i].guard[0] == '\0' || set_condition(spec[i].guard, true));
        network_connector_feed(&n, (enum network_connector_event)row->event);
        cr_assert(step_count > 0 && steps[0].from == row->from && steps[0].event == row->event &&
                      steps[0].to == row->to,
                  "row %u: %s, %s", i, spec[i].from, spec[i].event);
        cr_assert_eq(settled, n.automat.state != row->from || step_count > 1,
                     "row %u: the final state is reported once", i);
        if (spec_has_action(&spec[i], "Disconnects += 1"))
            cr_assert_eq(n.round_at_ms, loop_now_ms(loop));
        taken++;
    }
    cr_assert_eq(taken, SPEC_COUNT - 1);
}

Test(network_connector, does_not_take_a_row_whose_condition_fails, .init = a_network,
     .fini = clean_up, .timeout = 10)
{
    for (unsigned i = 0; i < SPEC_COUNT; i++) {
        const struct automat_row *row = &network_connector_kind.rows[i];

        reset();
        n.automat.state = row->from;
        if (spec[i].guard[0] == '\0' || is_unreachable(&spec[i]))
            continue;
        cr_assert(set_condition(spec[i].guard, false));
        cr_assert_not(row->guard.holds(&n, NULL), "row %u: %s, %s", i, spec[i].from, spec[i].event);
    }
}

Test(network_connector, flags_change_as_the_rows_say, .init = a_network, .fini = clean_up,
     .timeout = 10)
{
    static const struct {
        const char *word;
        unsigned disconnects;
        bool reset, cold_start;
    } expected[] = {
        {"Reset = true", 7, true, true},       {"Reset = false", 7, false, true},
        {"ColdStart = false", 7, true, false}, {"ColdStart = true", 7, true, true},
        {"Disconnects = 0", 0, true, true},    {"Disconnects = 3", 3, true, true},
        {"Disconnects += 1", 8, true, true},
    };

    for (unsigned i = 0; i < SPEC_COUNT; i++) {
        const struct automat_action *actions = network_connector_kind.rows[i].actions;

        for (unsigned j = 0; j < AUTOMAT_ACTIONS_MAX && actions[j].run != NULL; j++) {
            for (unsigned k = 0; k < sizeof expected / sizeof expected[0]; k++) {
                if (strcmp(actions[j].name, expected[k].word) != 0)
                    continue;
                n.disconnects = 7;
                n.reset = strcmp(actions[j].name, "Reset = true") != 0;
                n.cold_start = strcmp(actions[j].name, "ColdStart = true") != 0;
                actions[j].run(&n, NULL);
                cr_assert_eq(n.disconnects, expected[k].disconnects, "%s", actions[j].name);
                cr_assert_eq(n.reset, expected[k].reset, "%s", actions[j].name);
                cr_assert_eq(n.cold_start, expected[k].cold_start, "%s", actions[j].name);
            }
        }
    }
}

Test(network_connector, ignores_each_event_without_a_row, .init = a_network, .fini = clean_up,
     .timeout = 10)
{
    unsigned pairs = 0;

    for (unsigned state = 0; state < NETWORK_STATE_COUNT; state++) {
        for (unsigned event = 0; event < NETWORK_EVENT_COUNT; event++) {
            struct network_connector before;

            if (spec_has_row(&network_connector_kind, state, event))
                continue;
            reset();
            n.automat.state = (uint8_t)state;
            memcpy(&before, &n, sizeof n);
            network_connector_feed(&n, (enum network_connector_event)event);
            cr_assert_eq(memcmp(&before, &n, sizeof n), 0, "state %u, event %u", state, event);
            cr_assert_eq(step_count + scripted[0].connects + scripted[0].disconnects, 0);
            pairs++;
        }
    }
    cr_assert_gt(pairs, 100);
}

static void pump(void)
{
    while (mailbox_drain(loop_mailbox(loop)) > 0)
        ;
}

static const char *state(void)
{
    return automat_state_name(&n.automat);
}

/* Fires a timer as the loop would, after checking its deadline. */
static void fire(struct timer *timer, uint64_t expected_ms)
{
    cr_assert(timer->is_set);
    cr_assert_eq(timer->deadline_ms, loop_now_ms(loop) + expected_ms);
    loop_cancel_timer(loop, timer);
    timer->fire(timer, timer->ctx);
}

static void bring_up(void)
{
    network_connector_feed(&n, NETWORK_EV_INIT);
    network_connector_feed(&n, NETWORK_EV_RECONNECT);
    cr_assert_str_eq(state(), "TRANSPORTS?");
    scripted_answer_start(&scripted[0]);
    pump();
    cr_assert_str_eq(state(), "CONNECTED");
}

Test(network_connector, a_cold_start_brings_up_the_highest_priority_only, .init = a_network,
     .fini = clean_up, .timeout = 10)
{
    gateway_transport_at(gateway, 1)->is_enabled = true;
    gateway_transport_at(gateway, 0)->priority = 5;
    network_connector_feed(&n, NETWORK_EV_INIT);
    network_connector_feed(&n, NETWORK_EV_RECONNECT);
    cr_assert_eq(scripted[0].connects, 0);
    cr_assert_eq(scripted[1].connects, 1);
    scripted[0].is_at_once = scripted[1].is_at_once = true;
    scripted_answer_start(&scripted[1]);
    pump();
    cr_assert_str_eq(state(), "DISCONNECTED", "one of two is not listening");
    fire(&n.timer_5sec, settings.network.retry_s * 1000);
    pump();
    cr_assert_str_eq(state(), "CONNECTED", "the next start brings up both");
    cr_assert_eq(scripted[0].connects, 1);
}

Test(network_connector, waits_for_an_address_if_there_is_none, .init = a_network, .fini = clean_up,
     .timeout = 10)
{
    has_address = false;
    network_connector_feed(&n, NETWORK_EV_INIT);
    cr_assert_str_eq(state(), "DISCONNECTED");
    cr_assert_eq(n.disconnects, 3);
    network_connector_feed(&n, NETWORK_EV_RECONNECT);
    cr_assert_str_eq(state(), "DISCONNECTED");
    cr_assert_eq(scripted[0].connects, 0);
    has_address = true;
    network_connector_feed(&n, NETWORK_EV_CHECK_RECONNECT);
    cr_assert_str_eq(state(), "TRANSPORTS?");
    cr_assert_eq(scripted[0].connects, 1);
}

Test(network_connector, retries_a_busy_port_by_timer_5sec_then_by_timer_1hour, .init = a_network,
     .fini = clean_up, .timeout = 10)
{
    uint64_t short_ms = settings.network.retry_s * 1000;
    uint64_t long_ms = settings.network.retry_long_s * 1000;

    scripted[0].is_at_once = true;
    scripted[0].error = "in use";
    network_connector_feed(&n, NETWORK_EV_INIT);
    network_connector_feed(&n, NETWORK_EV_RECONNECT);
    pump();
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_str_eq(state(), "DISCONNECTED");
        cr_assert_eq(network_connector_next_round_s(&n), settings.network.retry_s);
        fire(&n.timer_5sec, short_ms);
        pump();
    }
    cr_assert_eq(n.disconnects, 3);
    cr_assert_eq(scripted[0].connects, 4);
    fire(&n.timer_5sec, short_ms);
    cr_assert_str_eq(state(), "DISCONNECTED");
    cr_assert_eq(scripted[0].connects, 4);
    cr_assert_eq(network_connector_next_round_s(&n), settings.network.retry_long_s);
    scripted[0].error = NULL;
    fire(&n.timer_1hour, long_ms);
    pump();
    cr_assert_str_eq(state(), "CONNECTED");
    cr_assert_not(n.timer_1hour.is_set);
    cr_assert(n.timer_5sec.is_set);
}

Test(network_connector, timer_5sec_is_periodic_while_connected, .init = a_network, .fini = clean_up,
     .timeout = 10)
{
    bring_up();
    for (unsigned i = 0; i < 3; i++)
        fire(&n.timer_5sec, settings.network.retry_s * 1000);
    cr_assert_str_eq(state(), "CONNECTED");
    transports[0].automat.state = TRANSPORT_OFFLINE;
    fire(&n.timer_5sec, settings.network.retry_s * 1000);
    pump();
    cr_assert_str_eq(state(), "TRANSPORTS?", "a dead connection is restarted");
}

Test(network_connector, a_reconnect_in_any_state_adds_one_round, .init = a_network,
     .fini = clean_up, .timeout = 10)
{
    bring_up();
    network_connector_feed(&n, NETWORK_EV_RECONNECT);
    cr_assert_str_eq(state(), "DOWN");
    network_connector_feed(&n, NETWORK_EV_RECONNECT); /* in DOWN */
    scripted_answer_stop(&scripted[0]);
    pump();
    cr_assert_str_eq(state(), "TRANSPORTS?");
    scripted_answer_start(&scripted[0]);
    pump();
    cr_assert_str_eq(state(), "DOWN", "the second round");
    scripted_answer_stop(&scripted[0]);
    pump();
    network_connector_feed(&n, NETWORK_EV_RECONNECT); /* in TRANSPORTS?: a third */
    scripted_answer_start(&scripted[0]);
    pump();
    cr_assert_str_eq(state(), "DOWN");
    scripted_answer_stop(&scripted[0]);
    pump();
    scripted_answer_start(&scripted[0]);
    pump();
    cr_assert_str_eq(state(), "CONNECTED");
    cr_assert_not(n.reset);
    cr_assert_eq(scripted[0].connects, 4);
}

Test(network_connector, check_reconnect_restarts_only_what_is_bound_elsewhere, .init = a_network,
     .fini = clean_up, .timeout = 10)
{
    bring_up();
    network_connector_feed(&n, NETWORK_EV_CHECK_RECONNECT);
    cr_assert_str_eq(state(), "CONNECTED");
    cr_assert_eq(scripted[0].disconnects, 0);
    scripted[0].is_rebind_needed = true;
    network_connector_feed(&n, NETWORK_EV_CHECK_RECONNECT);
    cr_assert_str_eq(state(), "TRANSPORTS?");
    scripted_answer_stop(&scripted[0]);
    pump();
    scripted_answer_start(&scripted[0]);
    pump();
    cr_assert_str_eq(state(), "CONNECTED");
    cr_assert_eq(scripted[0].connects, 2);
}

Test(network_connector, check_reconnect_does_not_wait_for_an_offline_transport, .init = a_network,
     .fini = clean_up, .timeout = 10)
{
    bring_up();
    transports[0].automat.state = TRANSPORT_OFFLINE;
    network_connector_feed(&n, NETWORK_EV_CHECK_RECONNECT);
    cr_assert_str_eq(state(), "DISCONNECTED");
}

Test(network_connector, a_transport_that_does_not_stop_is_not_waited_for, .init = a_network,
     .fini = clean_up, .timeout = 10)
{
    bring_up();
    network_connector_feed(&n, NETWORK_EV_RECONNECT);
    cr_assert_str_eq(state(), "DOWN");
    fire(&n.stop_limit, settings.sessions.linger_ms + NETWORK_STOP_MARGIN_MS);
    cr_assert_str_eq(state(), "TRANSPORTS?");
    scripted_answer_stop(&scripted[0]); /* late: it restarts immediately */
    pump();
    scripted_answer_start(&scripted[0]);
    pump();
    cr_assert_str_eq(state(), "CONNECTED");
}

Test(network_connector, a_gateway_that_is_off_keeps_every_transport_down, .init = a_network,
     .fini = clean_up, .timeout = 10)
{
    settings.gateway_service.is_enabled = false;
    network_connector_feed(&n, NETWORK_EV_INIT);
    network_connector_feed(&n, NETWORK_EV_RECONNECT);
    cr_assert_str_eq(state(), "DISCONNECTED");
    cr_assert_eq(steps[step_count - 1].event, NETWORK_EV_GATEWAY_OFF);
    cr_assert_eq(scripted[0].connects, 0);
}

Test(network_connector, an_outgoing_connect_starts_a_round_after_15_seconds, .init = a_network,
     .fini = clean_up, .timeout = 10)
{
    scripted[0].is_at_once = true;
    scripted[0].error = "in use";
    n.automat.state = NETWORK_DISCONNECTED;
    when_time_passed(false);
    network_connector_feed(&n, NETWORK_EV_CONNECTION_DONE);
    cr_assert_eq(step_count, 0);
    when_time_passed(true);
    network_connector_feed(&n, NETWORK_EV_CONNECTION_DONE);
    cr_assert_eq(scripted[0].connects, 1);
}

/* The probe, with a real listener on loopback. */
static int listener(uint16_t *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&at, length), 0);
    cr_assert_eq(listen(fd, 4), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &length), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static void run_probe(uint16_t port)
{
    reset();
    snprintf(settings.network.probe, sizeof settings.network.probe, "127.0.0.1:%u", port);
    n.automat.state = NETWORK_NETWORK;
    n.is_network_active = n.is_current_interface_active = true;
    network_connector_feed(&n, NETWORK_EV_GOT_NETWORK_INFO);
    while (n.automat.state == NETWORK_INTERNET)
        loop_turn(loop, 1000);
}

Test(network_connector, a_probe_that_succeeds_starts_the_transports, .init = a_network,
     .fini = clean_up, .timeout = 10)
{
    uint16_t port;
    int fd = listener(&port);

    run_probe(port);
    cr_assert_str_eq(state(), "TRANSPORTS?");
    close(fd);
    run_probe(port);
    cr_assert_str_eq(state(), "DISCONNECTED");
    cr_assert_eq(n.probe_result, ERR_REFUSED);
}

Test(network_connector, a_probe_without_an_answer_times_out, .init = a_network, .fini = clean_up,
     .timeout = 10)
{
    /* 192.0.2.0/24 is reserved for documentation: the connect fails or is never answered. */
    snprintf(settings.network.probe, sizeof settings.network.probe, "192.0.2.1:9");
    n.automat.state = NETWORK_NETWORK;
    n.is_network_active = n.is_current_interface_active = true;
    network_connector_feed(&n, NETWORK_EV_GOT_NETWORK_INFO);
    if (n.automat.state == NETWORK_INTERNET)
        fire(&n.probe.timeout, SUPERVISOR_PROBE_TIMEOUT_MS);
    cr_assert_str_eq(state(), "DISCONNECTED");
    cr_assert_neq(n.probe_result, ERR_OK);
}
