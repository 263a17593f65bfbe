#include "supervisor/services.h"

#include "supervisor/scripted.h"

#include <string.h>

static struct settings settings;
static struct service_info list[SERVICES_MAX];
static struct scripted transports[2];
static struct transport_row rows[2];
static unsigned row_count;

static void all_on(void)
{
    scripted_init(&transports[0], "tcp");
    rows[0] = transports[0].row;
    row_count = 1;
    settings_default(&settings);
    settings.tcp_transport.is_enabled = true;
    settings.tcp_connections.is_enabled = true;
    settings.gateway_service.is_enabled = true;
}

static const struct service_info *of(const char *name, const char *state, const char *last_error)
{
    const struct transport_table table = {.rows = rows, .count = row_count};
    struct transport_info shown[2] = {{.proto = "tcp"}, {.proto = "udp", .state = "OFFLINE"}};
    unsigned count;

    snprintf(shown[0].state, sizeof shown[0].state, "%s", state);
    snprintf(shown[0].last_error, sizeof shown[0].last_error, "%s", last_error);
    count = supervisor_services_list(list, &settings, &table, shown);
    for (unsigned i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    cr_assert_fail("no service %s", name);
    return NULL;
}

Test(services, tcp_transport_has_the_state_of_its_automaton, .init = all_on, .timeout = 10)
{
    cr_assert_str_eq(of("tcp_transport", "LISTENING", "")->state, "ON");
    cr_assert_str_eq(of("tcp_transport", "STARTING", "")->state, "STARTING");
    cr_assert_str_eq(of("tcp_transport", "STOPPING", "")->state, "STOPPING");
    cr_assert_str_eq(of("tcp_transport", "OFFLINE", "the port is in use")->state, "OFF");
    cr_assert_str_eq(list[2].reason, "the port is in use");
    cr_assert_str_eq(of("tcp_transport", "LISTENING", "")->needs, "tcp_connections, gateway");
    cr_assert_str_eq(of("gateway", "LISTENING", "")->state, "ON");
    cr_assert_str_eq(of("tcp_connections", "OFFLINE", "")->state, "ON");
}

static void expect_off(const char *needed)
{
    const struct service_info *tcp = of("tcp_transport", "OFFLINE", "");
    struct gateway_transport registered = {.is_enabled = true, .row = &rows[0]};

    supervisor_services_apply(&settings, &registered);
    cr_assert_not(registered.is_enabled);
    cr_assert_str_eq(tcp->state, "OFF");
    cr_assert(tcp->is_enabled, "by its own setting");
    cr_assert_not_null(strstr(tcp->reason, needed), "%s", tcp->reason);
}

Test(services, tcp_transport_stays_off_and_names_what_it_needs, .init = all_on, .timeout = 10)
{
    settings.gateway_service.is_enabled = false;
    expect_off("needs gateway");
    settings.gateway_service.is_enabled = true;
    settings.tcp_connections.is_enabled = false;
    expect_off("needs tcp_connections");
}

Test(services, a_disabled_service_names_its_setting, .init = all_on, .timeout = 10)
{
    settings.tcp_transport.is_enabled = false;
    cr_assert_str_eq(of("tcp_transport", "OFFLINE", "")->state, "OFF");
    cr_assert_not_null(strstr(list[2].reason, "[services/tcp-transport] enabled"));
}

Test(services, a_transport_takes_priority_and_sending_from_the_settings, .init = all_on,
     .timeout = 10)
{
    struct gateway_transport registered = {.is_enabled = false, .row = &rows[0]};

    settings.tcp_transport.priority = 7;
    settings.tcp_transport.is_sending_enabled = true;
    supervisor_services_apply(&settings, &registered);
    cr_assert(registered.is_enabled && registered.is_sending_enabled);
    cr_assert_eq(registered.priority, 7);
    settings.tcp_transport.is_sending_enabled = false;
    supervisor_services_apply(&settings, &registered);
    cr_assert_not(registered.is_sending_enabled);
}

static bool is_udp_enabled(const struct settings *s)
{
    (void)s;
    return true;
}

static const struct service udp_service = {.name = "udp_transport",
                                           .section = "services/udp-transport",
                                           .is_enabled = is_udp_enabled,
                                           .needs = {&gateway_service}};

Test(services, a_second_transport_is_one_row_more_and_shares_what_both_need, .init = all_on,
     .timeout = 10)
{
    scripted_init(&transports[1], "udp");
    rows[1] = transports[1].row;
    rows[1].service = &udp_service;
    row_count = 2;
    settings.tcp_connections.is_enabled = false;
    cr_assert_str_eq(of("udp_transport", "OFFLINE", "")->reason, "the transport is not started");
    cr_assert_str_eq(list[0].name, "tcp_connections");
    cr_assert_str_eq(list[1].name, "gateway");
    cr_assert_str_eq(list[2].name, "tcp_transport");
    cr_assert_str_eq(list[3].name, "udp_transport");
    cr_assert_str_eq(list[3].needs, "gateway");
    cr_assert_not_null(strstr(list[2].reason, "needs tcp_connections"));
}
