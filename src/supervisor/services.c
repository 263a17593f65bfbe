#include "supervisor/services.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

enum { NEEDS_MAX = 2 };

struct service {
    const char *name;
    const char *section; /* of the settings: where it is switched on */
    const char *proto;   /* of the transport it runs, or NULL */
    const char *needs[NEEDS_MAX];
    bool (*is_enabled)(const struct settings *s);
};

static bool is_connections_enabled(const struct settings *s)
{
    return s->tcp_connections.is_enabled;
}

static bool is_gateway_enabled(const struct settings *s)
{
    return s->gateway_service.is_enabled;
}

static bool is_tcp_enabled(const struct settings *s)
{
    return s->tcp_transport.is_enabled;
}

/* What a service needs stands above it. */
static const struct service services[] = {
    {"tcp_connections", "services/tcp-connections", NULL, {NULL}, is_connections_enabled},
    {"gateway", "services/gateway", NULL, {NULL}, is_gateway_enabled},
    {"tcp_transport",
     "services/tcp-transport",
     "tcp",
     {"tcp_connections", "gateway"},
     is_tcp_enabled},
};
enum { SERVICE_COUNT = sizeof services / sizeof services[0] };
_Static_assert((int)SERVICE_COUNT <= (int)SERVICES_MAX, "supervisor_request has room for each");

static const struct service *find(const char *name)
{
    for (unsigned i = 0; i < SERVICE_COUNT; i++)
        if (strcmp(services[i].name, name) == 0)
            return &services[i];
    return NULL;
}

static const struct service *find_by_proto(const char *proto)
{
    for (unsigned i = 0; i < SERVICE_COUNT; i++)
        if (services[i].proto != NULL && strcmp(services[i].proto, proto) == 0)
            return &services[i];
    return NULL;
}

static bool is_on(const struct service *service, const struct settings *s, char reason[REASON_SIZE])
{
    char ignored[REASON_SIZE];

    reason[0] = '\0';
    if (!service->is_enabled(s)) {
        snprintf(reason, REASON_SIZE, "%s is switched off: set [%s] enabled = true%s",
                 service->name, service->section,
                 service->proto == NULL ? "" : ", or 'dustwire set enabled true'");
        return false;
    }
    for (unsigned i = 0; i < NEEDS_MAX && service->needs[i] != NULL; i++) {
        const struct service *needed = find(service->needs[i]);

        if (is_on(needed, s, ignored))
            continue;
        snprintf(reason, REASON_SIZE, "%s needs %s, which is off: set [%s] enabled = true",
                 service->name, needed->name, needed->section);
        return false;
    }
    return true;
}

bool supervisor_services_is_transport_on(const struct settings *s, const char *proto,
                                         char reason[REASON_SIZE])
{
    const struct service *service = find_by_proto(proto);

    if (service != NULL)
        return is_on(service, s, reason);
    snprintf(reason, REASON_SIZE, "no service runs the transport %s", proto);
    return false;
}

void supervisor_services_apply(const struct settings *s, struct gateway_transport *t)
{
    t->is_enabled = supervisor_services_is_transport_on(s, t->ops->proto, t->off_reason);
    if (strcmp(t->ops->proto, "tcp") == 0) {
        t->priority = s->tcp_transport.priority;
        t->is_sending_enabled = s->tcp_transport.is_sending_enabled;
        t->is_receiving_enabled = s->tcp_transport.is_receiving_enabled;
    }
}

static const struct transport_info *
transport_of(const struct service *service, const struct transport_info *transports, unsigned count)
{
    for (unsigned i = 0; i < count && service->proto != NULL; i++)
        if (strcmp(transports[i].proto, service->proto) == 0)
            return &transports[i];
    return NULL;
}

/* A service that may run, seen through its transport. */
static void describe_running(struct service_info *info, const struct transport_info *t)
{
    if (strcmp(t->state, "LISTENING") == 0) {
        snprintf(info->state, sizeof info->state, "ON");
    } else if (strcmp(t->state, "STARTING") == 0 || strcmp(t->state, "STOPPING") == 0) {
        snprintf(info->state, sizeof info->state, "%.15s", t->state);
    } else {
        snprintf(info->state, sizeof info->state, "OFF");
        snprintf(info->reason, sizeof info->reason, "%s",
                 t->last_error[0] != '\0' ? t->last_error : "the transport is not started");
    }
}

static void list_needs(struct service_info *info, const struct service *service)
{
    size_t used = 0;

    for (unsigned i = 0; i < NEEDS_MAX && service->needs[i] != NULL; i++) {
        snprintf(info->needs + used, sizeof info->needs - used, "%s%s", i > 0 ? ", " : "",
                 service->needs[i]);
        used = strlen(info->needs);
    }
}

unsigned supervisor_services_list(struct service_info out[SERVICES_MAX], const struct settings *s,
                                  const struct transport_info *transports, unsigned transport_count)
{
    for (unsigned i = 0; i < SERVICE_COUNT; i++) {
        const struct transport_info *t = transport_of(&services[i], transports, transport_count);

        out[i] = (struct service_info){.is_enabled = services[i].is_enabled(s)};
        snprintf(out[i].name, sizeof out[i].name, "%s", services[i].name);
        list_needs(&out[i], &services[i]);
        if (!is_on(&services[i], s, out[i].reason))
            snprintf(out[i].state, sizeof out[i].state, "OFF");
        else if (t != NULL)
            describe_running(&out[i], t);
        else
            snprintf(out[i].state, sizeof out[i].state, "%s",
                     services[i].proto == NULL ? "ON" : "OFF");
    }
    return SERVICE_COUNT;
}
