/* The gateway's control of the transports: BitDust's gateway starts and stops them by `connect` and
 * `disconnect`, and the options of `connect` override the settings without being written to a file.
 * With a remote gateway no transport runs before its first `connect`. Supervisor thread only. */
#ifndef SUPERVISOR_GATEWAY_OVERRIDES_H
#define SUPERVISOR_GATEWAY_OVERRIDES_H

#include "supervisor/core.h"
#include "supervisor/request.h"

/* Sets `acting` to `in_force` with the overrides, and passes it on to the log and each transport.
 */
void supervisor_gateway_overrides_update(struct supervisor *s);

/* Updates a registered transport from `settings`; disabled unless the gateway has connected. */
void supervisor_gateway_overrides_apply(const struct supervisor *s, const struct settings *settings,
                                        struct gateway_transport *t);

/* Handle and answer the requests of these names. */
void supervisor_gateway_overrides_init(struct supervisor *s, struct supervisor_request *r);
void supervisor_gateway_overrides_connect(struct supervisor *s, struct supervisor_request *r);
void supervisor_gateway_overrides_disconnect(struct supervisor *s, struct supervisor_request *r);

#endif
