/* The services of the node: those of the transports, and those they need. A service that is enabled
 * while one it needs is off stays OFF and reports that. Supervisor thread only; stateless. */
#ifndef SUPERVISOR_SERVICES_H
#define SUPERVISOR_SERVICES_H

#include "settings/settings.h"
#include "supervisor/request.h"

#include <stdbool.h>

/* True if the transport of `row` is allowed to run. Otherwise `reason` names the setting that
 * prevents it. */
bool supervisor_services_is_transport_on(const struct settings *s, const struct transport_row *row,
                                         char reason[REASON_SIZE]);

/* Sets is_enabled with its off_reason, priority, is_sending_enabled and is_receiving_enabled of a
 * registered transport from the settings. */
void supervisor_services_apply(const struct settings *s, struct gateway_transport *t);

/* Lists the services of all transports, each once and after those it needs; returns their number.
 * `transports` is as in STATUS, in the table's order: the state of a service that is allowed to run
 * is that of its transport. */
unsigned supervisor_services_list(struct service_info out[SERVICES_MAX], const struct settings *s,
                                  const struct transport_table *table,
                                  const struct transport_info *transports);

#endif
