/* What the gateway wants of the transports: BitDust's gateway owns their life by `connect` and
 * `disconnect`, and its options of `connect` go over the settings without ever being written down.
 * Under a remote gateway nothing runs before its first `connect`. Supervisor thread only. */
#ifndef SUPERVISOR_GATEWAY_OVERRIDES_H
#define SUPERVISOR_GATEWAY_OVERRIDES_H

#include "supervisor/core.h"
#include "supervisor/request.h"

/* What is in force becomes what acts: the gateway's options go over it, each transport hears of it
 * and is enabled or not. */
void supervisor_gateway_overrides_act(struct supervisor *s);

/* Brings a registered transport in line with `settings` and with whether the gateway has connected.
 */
void supervisor_gateway_overrides_apply(const struct supervisor *s, const struct settings *settings,
                                        struct gateway_transport *t);

/* The requests of these names; each answers. */
void supervisor_gateway_overrides_init(struct supervisor *s, struct supervisor_request *r);
void supervisor_gateway_overrides_connect(struct supervisor *s, struct supervisor_request *r);
void supervisor_gateway_overrides_disconnect(struct supervisor *s, struct supervisor_request *r);

#endif
