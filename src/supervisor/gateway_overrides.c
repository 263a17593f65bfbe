#include "supervisor/gateway_overrides.h"

#include "base/log.h"
#include "settings/persisted.h"
#include "supervisor/services.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Options that were not given change nothing. */
static enum err put_over(const struct gateway_wish *wish, struct settings_in_force *over,
                         char problem[SETTINGS_PERSISTED_TEXT_SIZE])
{
    const struct {
        const char *key, *value;
    } options[] = {{"node/idurl", wish->idurl},
                   {"node/host", wish->host},
                   {"services/tcp-connections/tcp-port", wish->tcp_port}};
    enum err e = ERR_OK;

    for (unsigned i = 0; i < sizeof options / sizeof *options && e == ERR_OK; i++)
        if (options[i].value[0] != '\0')
            e = settings_override(over, options[i].key, options[i].value, problem);
    return e;
}

void supervisor_gateway_overrides_apply(const struct supervisor *s, const struct settings *settings,
                                        struct gateway_transport *t)
{
    supervisor_services_apply(settings, t);
    if (!t->is_enabled || s->wish.is_connected)
        return;
    t->is_enabled = false;
    snprintf(t->off_reason, sizeof t->off_reason, "it waits for the gateway's connect");
}

void supervisor_gateway_overrides_act(struct supervisor *s)
{
    char problem[SETTINGS_PERSISTED_TEXT_SIZE];

    s->acting = s->in_force;
    /* It was checked when it came; what a reload brought may be at odds with it. */
    if (put_over(&s->wish, &s->acting, problem) != ERR_OK)
        log_warning("the gateway's connect: %s", problem);
    log_set_level(s->acting.settings.log.level);
    log_set_peer_limit(s->acting.settings.log.lines_per_peer_per_s);
    log_set_file_limit((uint64_t)s->acting.settings.log.file_limit_mib << 20);
    for (unsigned i = 0; i < s->transport_count; i++) {
        struct gateway_transport *t = s->transports[i].config.registered;

        supervisor_gateway_overrides_apply(s, &s->acting.settings, t);
        t->row->ops->settings_changed(t->row->self, &s->acting.settings);
    }
}

/* The host of `connect` comes with its port, which is the same or a mapped one: peers are told the
 * port that we listen on. */
static void cut_port(char host[ADDRESS_HOST_SIZE])
{
    char bare[ADDRESS_HOST_SIZE];
    uint16_t port;

    if (address_split(host, bare, &port) == ERR_OK)
        snprintf(host, ADDRESS_HOST_SIZE, "%s", bare);
}

static void read_wish(struct gateway_wish *out, const struct supervisor_request *r)
{
    *out = (struct gateway_wish){.is_connected = true};
    snprintf(out->idurl, sizeof out->idurl, "%s", r->idurl == NULL ? "" : r->idurl);
    snprintf(out->host, sizeof out->host, "%s", r->host == NULL ? "" : r->host);
    snprintf(out->tcp_port, sizeof out->tcp_port, "%s", r->tcp_port == NULL ? "" : r->tcp_port);
    cut_port(out->host);
}

static enum err check(const struct supervisor *s, struct supervisor_request *r,
                      const struct gateway_wish *wish)
{
    char problem[SETTINGS_PERSISTED_TEXT_SIZE], reason[REASON_SIZE];
    struct settings_in_force tried = s->in_force;
    enum err e = put_over(wish, &tried, problem);

    if (e != ERR_OK) {
        snprintf(r->text, sizeof r->text, "%s", problem);
        return e;
    }
    for (unsigned i = 0; i < s->transport_count; i++)
        if (supervisor_services_is_transport_on(&tried.settings,
                                                s->transports[i].config.registered->row, reason))
            return ERR_OK;
    snprintf(r->text, sizeof r->text, "%s", reason);
    return ERR_DISABLED;
}

/* `connect` while it serves already: it is said again. */
static void tell_again(struct supervisor *s)
{
    const struct gateway_binding *binding = gateway_current(s->config.gateway);

    for (unsigned i = 0; i < s->transport_count; i++) {
        const struct network_transport *t = &s->transports[i];

        if (t->config.registered->is_listening)
            binding->ops->receiving_started(binding->self, network_transport_proto(t), t->host);
    }
}

static void start_a_round(struct supervisor *s)
{
    if (!network_connector_will_start(&s->connector))
        network_connector_feed(&s->connector, NETWORK_EV_RECONNECT);
}

static bool is_all_down(const struct supervisor *s)
{
    for (unsigned i = 0; i < s->transport_count; i++)
        if (!network_transport_is_down(&s->transports[i]))
            return false;
    return true;
}

void supervisor_gateway_overrides_connect(struct supervisor *s, struct supervisor_request *r)
{
    struct settings before = s->acting.settings;
    bool was_connected = s->wish.is_connected && !is_all_down(s);
    struct settings_change change;
    struct gateway_wish wish;
    enum err e;

    read_wish(&wish, r);
    if ((e = check(s, r, &wish)) == ERR_OK) {
        s->wish = wish;
        supervisor_gateway_overrides_act(s);
        settings_compare(&before, &s->acting.settings, &change);
        if (!was_connected || change.needs_reconnect)
            start_a_round(s);
        else
            tell_again(s);
    }
    request_answer(&r->request, e);
}

static void wish_down(struct supervisor *s)
{
    s->wish = (struct gateway_wish){.is_connected = false};
    supervisor_gateway_overrides_act(s);
}

void supervisor_gateway_overrides_disconnect(struct supervisor *s, struct supervisor_request *r)
{
    const struct gateway_binding *binding = gateway_current(s->config.gateway);
    bool was_down = is_all_down(s);

    wish_down(s);
    for (unsigned i = 0; i < s->transport_count && was_down; i++)
        binding->ops->disconnected(binding->self, network_transport_proto(&s->transports[i]),
                                   "disconnected");
    if (!was_down)
        start_a_round(s);
    request_answer(&r->request, ERR_OK);
}

/* A gateway that takes over from the built-in one has not said `connect` yet. A new instance of
 * one that has may find its transport serving. */
void supervisor_gateway_overrides_init(struct supervisor *s, struct supervisor_request *r)
{
    enum err e = r->take_over(r);
    const struct gateway_binding *binding = gateway_current(s->config.gateway);
    bool is_new = !s->is_remote;

    for (unsigned i = 0; i < s->transport_count && e == ERR_OK; i++)
        binding->ops->transport_initialized(binding->self,
                                            network_transport_proto(&s->transports[i]));
    if (e == ERR_OK && is_new) {
        s->is_remote = true;
        wish_down(s);
        network_connector_feed(&s->connector, NETWORK_EV_RECONNECT);
    }
    request_answer(&r->request, e);
}
