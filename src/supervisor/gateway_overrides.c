#include "supervisor/gateway_overrides.h"

#include "base/log.h"
#include "settings/persisted.h"
#include "supervisor/services.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Options that were not given are skipped. */
static enum err override_settings(const struct gateway_overrides *overrides,
                                  struct settings_in_force *settings,
                                  char problem[SETTINGS_PERSISTED_TEXT_SIZE])
{
    const struct {
        const char *key, *value;
    } options[] = {{"node/idurl", overrides->idurl},
                   {"node/host", overrides->host},
                   {"services/tcp-connections/tcp-port", overrides->tcp_port}};
    enum err e = ERR_OK;

    for (unsigned i = 0; i < sizeof options / sizeof *options && e == ERR_OK; i++)
        if (options[i].value[0] != '\0')
            e = settings_override(settings, options[i].key, options[i].value, problem);
    return e;
}

void supervisor_gateway_overrides_apply(const struct supervisor *s, const struct settings *settings,
                                        struct gateway_transport *t)
{
    supervisor_services_apply(settings, t);
    if (!t->is_enabled || s->overrides.is_connected)
        return;
    t->is_enabled = false;
    snprintf(t->off_reason, sizeof t->off_reason, "it waits for the gateway's connect");
}

void supervisor_gateway_overrides_update(struct supervisor *s)
{
    char problem[SETTINGS_PERSISTED_TEXT_SIZE];

    s->acting = s->in_force;
    /* Checked at the connect, but a reload since may contradict it. */
    if (override_settings(&s->overrides, &s->acting, problem) != ERR_OK)
        log_warning("cannot apply the options of the gateway's connect: %s", problem);
    log_set_level(s->acting.settings.log.level);
    log_set_peer_limit(s->acting.settings.log.lines_per_peer_per_s);
    log_set_file_limit((uint64_t)s->acting.settings.log.file_limit_mib << 20);
    for (unsigned i = 0; i < s->transport_count; i++) {
        struct gateway_transport *t = s->transports[i].config.registered;

        supervisor_gateway_overrides_apply(s, &s->acting.settings, t);
        t->row->ops->settings_changed(t->row->self, &s->acting.settings);
    }
}

/* Strips the port from the host of `connect`: it is the listening port or a mapped one, and the
 * listening port is the one announced to peers. */
static void strip_port(char host[ADDRESS_HOST_SIZE])
{
    char bare[ADDRESS_HOST_SIZE];
    uint16_t port;

    if (address_split(host, bare, &port) == ERR_OK)
        snprintf(host, ADDRESS_HOST_SIZE, "%s", bare);
}

static void read_options(struct gateway_overrides *out, const struct supervisor_request *r)
{
    *out = (struct gateway_overrides){.is_connected = true};
    snprintf(out->idurl, sizeof out->idurl, "%s", r->idurl == NULL ? "" : r->idurl);
    snprintf(out->host, sizeof out->host, "%s", r->host == NULL ? "" : r->host);
    snprintf(out->tcp_port, sizeof out->tcp_port, "%s", r->tcp_port == NULL ? "" : r->tcp_port);
    strip_port(out->host);
}

static enum err check(const struct supervisor *s, struct supervisor_request *r,
                      const struct gateway_overrides *overrides)
{
    char problem[SETTINGS_PERSISTED_TEXT_SIZE], reason[REASON_SIZE];
    struct settings_in_force tried = s->in_force;
    enum err e = override_settings(overrides, &tried, problem);

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

/* For a `connect` while transports are listening: repeats receiving_started. */
static void report_listening(struct supervisor *s)
{
    const struct gateway_binding *binding = gateway_current(s->config.gateway);

    for (unsigned i = 0; i < s->transport_count; i++) {
        const struct network_transport *t = &s->transports[i];

        if (t->config.registered->is_listening)
            binding->ops->receiving_started(binding->self, network_transport_proto(t), t->host);
    }
}

static void start_round(struct supervisor *s)
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
    bool was_connected = s->overrides.is_connected && !is_all_down(s);
    struct settings_change change;
    struct gateway_overrides overrides;
    enum err e;

    read_options(&overrides, r);
    if ((e = check(s, r, &overrides)) == ERR_OK) {
        s->overrides = overrides;
        supervisor_gateway_overrides_update(s);
        settings_compare(&before, &s->acting.settings, &change);
        if (!was_connected || change.needs_reconnect)
            start_round(s);
        else
            report_listening(s);
    }
    request_answer(&r->request, e);
}

static void clear_overrides(struct supervisor *s)
{
    s->overrides = (struct gateway_overrides){.is_connected = false};
    supervisor_gateway_overrides_update(s);
}

void supervisor_gateway_overrides_disconnect(struct supervisor *s, struct supervisor_request *r)
{
    const struct gateway_binding *binding = gateway_current(s->config.gateway);
    bool was_down = is_all_down(s);

    clear_overrides(s);
    for (unsigned i = 0; i < s->transport_count && was_down; i++)
        binding->ops->disconnected(binding->self, network_transport_proto(&s->transports[i]),
                                   "disconnected");
    if (!was_down)
        start_round(s);
    request_answer(&r->request, ERR_OK);
}

/* A remote gateway that replaces the built-in one has not called `connect` yet, so the transports
 * stop. For a new instance of a remote gateway they keep running. */
void supervisor_gateway_overrides_init(struct supervisor *s, struct supervisor_request *r)
{
    enum err e = r->switch_gateway(r);
    const struct gateway_binding *binding = gateway_current(s->config.gateway);
    bool is_new = !s->is_remote;

    for (unsigned i = 0; i < s->transport_count && e == ERR_OK; i++)
        binding->ops->transport_initialized(binding->self,
                                            network_transport_proto(&s->transports[i]));
    if (e == ERR_OK && is_new) {
        s->is_remote = true;
        clear_overrides(s);
        network_connector_feed(&s->connector, NETWORK_EV_RECONNECT);
    }
    request_answer(&r->request, e);
}
