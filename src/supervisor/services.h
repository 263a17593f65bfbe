/* The services of the node and what they need of each other: tcp_connections, gateway,
 * tcp_transport. A service that is switched on while one that it needs is off says so and stays
 * OFF. Supervisor thread only; nothing here is kept. */
#ifndef SUPERVISOR_SERVICES_H
#define SUPERVISOR_SERVICES_H

#include "settings/settings.h"
#include "supervisor/request.h"

#include <stdbool.h>

/* True if the service of transport `proto` may run. Otherwise `reason` is a sentence that says
 * which setting stands in the way. */
bool supervisor_services_is_transport_on(const struct settings *s, const char *proto,
                                         char reason[REASON_SIZE]);

/* Brings is_enabled with its off_reason, priority, is_sending_enabled and is_receiving_enabled of a
 * registered transport in line. */
void supervisor_services_apply(const struct settings *s, struct gateway_transport *t);

/* Fills in all services; returns how many. `transports` are what STATUS shows of them: a service
 * that may run is as far as its transport is. */
unsigned supervisor_services_list(struct service_info out[SERVICES_MAX], const struct settings *s,
                                  const struct transport_info *transports,
                                  unsigned transport_count);

#endif
