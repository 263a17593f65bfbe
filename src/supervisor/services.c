#include "supervisor/services.h"

#include "base/contract.h"

#include <stdio.h>
#include <string.h>

static bool is_on(const struct service *service, const struct settings *s)
{
    for (unsigned i = 0; i < SERVICE_NEEDS_MAX && service->needs[i] != NULL; i++)
        if (!is_on(service->needs[i], s))
            return false;
    return service->is_enabled(s);
}

/* Names the setting that keeps the service off; "" if none. `is_transport`: a transport's own. */
static void explain_off(const struct service *service, const struct settings *s, bool is_transport,
                        char reason[REASON_SIZE])
{
    reason[0] = '\0';
    if (!service->is_enabled(s)) {
        snprintf(reason, REASON_SIZE, "%s is switched off: set [%s] enabled = true%s",
                 service->name, service->section,
                 is_transport ? ", or 'dustwire set enabled true'" : "");
        return;
    }
    for (unsigned i = 0; i < SERVICE_NEEDS_MAX && service->needs[i] != NULL; i++) {
        const struct service *needed = service->needs[i];

        if (is_on(needed, s))
            continue;
        snprintf(reason, REASON_SIZE, "%s needs %s, which is off: set [%s] enabled = true",
                 service->name, needed->name, needed->section);
        return;
    }
}

bool supervisor_services_is_transport_on(const struct settings *s, const struct transport_row *row,
                                         char reason[REASON_SIZE])
{
    explain_off(row->service, s, true, reason);
    return is_on(row->service, s);
}

void supervisor_services_apply(const struct settings *s, struct gateway_transport *t)
{
    const struct transport_preferences preferences = t->row->preferences(s);

    t->is_enabled = supervisor_services_is_transport_on(s, t->row, t->off_reason);
    t->priority = preferences.priority;
    t->is_sending_enabled = preferences.is_sending_enabled;
    t->is_receiving_enabled = preferences.is_receiving_enabled;
}

/* The state of an enabled service, taken from its transport. */
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

    for (unsigned i = 0; i < SERVICE_NEEDS_MAX && service->needs[i] != NULL; i++) {
        snprintf(info->needs + used, sizeof info->needs - used, "%s%s", i > 0 ? ", " : "",
                 service->needs[i]->name);
        used = strlen(info->needs);
    }
}

/* `t`: the transport that the service belongs to, or NULL. */
static void describe(struct service_info *info, const struct service *service,
                     const struct settings *s, const struct transport_info *t)
{
    *info = (struct service_info){.is_enabled = service->is_enabled(s)};
    snprintf(info->name, sizeof info->name, "%s", service->name);
    list_needs(info, service);
    explain_off(service, s, t != NULL, info->reason);
    if (!is_on(service, s))
        snprintf(info->state, sizeof info->state, "OFF");
    else if (t != NULL)
        describe_running(info, t);
    else
        snprintf(info->state, sizeof info->state, "ON");
}

static bool is_listed(const struct service_info *list, unsigned count, const char *name)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(list[i].name, name) == 0)
            return true;
    return false;
}

/* Adds the service after those it needs. Returns the new count. */
static unsigned list_service(struct service_info out[SERVICES_MAX], unsigned count,
                             const struct service *service, const struct settings *s,
                             const struct transport_info *t)
{
    if (is_listed(out, count, service->name))
        return count;
    for (unsigned i = 0; i < SERVICE_NEEDS_MAX && service->needs[i] != NULL; i++)
        count = list_service(out, count, service->needs[i], s, NULL);
    CONTRACT(count < SERVICES_MAX);
    describe(&out[count], service, s, t);
    return count + 1;
}

unsigned supervisor_services_list(struct service_info out[SERVICES_MAX], const struct settings *s,
                                  const struct transport_table *table,
                                  const struct transport_info *transports)
{
    unsigned count = 0;

    for (unsigned i = 0; i < table->count; i++) {
        CONTRACT(strcmp(transports[i].proto, table->rows[i].ops->proto) == 0);
        count = list_service(out, count, table->rows[i].service, s, &transports[i]);
    }
    return count;
}
