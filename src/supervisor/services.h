/* The services of the node: those of the transports, and what these need. A service that is
 * switched on while one that it needs is off says so and stays OFF. Supervisor thread only; nothing
 * here is kept. */
#ifndef SUPERVISOR_SERVICES_H
#define SUPERVISOR_SERVICES_H

#include "settings/settings.h"
#include "supervisor/request.h"

#include <stdbool.h>

/* True if the transport of `row` may run. Otherwise `reason` is a sentence that says
 * which setting stands in the way. */
bool supervisor_services_is_transport_on(const struct settings *s, const struct transport_row *row,
                                         char reason[REASON_SIZE]);

/* Brings is_enabled with its off_reason, priority, is_sending_enabled and is_receiving_enabled of a
 * registered transport in line. */
void supervisor_services_apply(const struct settings *s, struct gateway_transport *t);

/* Fills in the services of all transports, each once and behind what it needs; returns how many.
 * `transports` is what STATUS shows, in the table's order: a service that may run is as far as its
 * transport is. */
unsigned supervisor_services_list(struct service_info out[SERVICES_MAX], const struct settings *s,
                                  const struct transport_table *table,
                                  const struct transport_info *transports);

#endif
