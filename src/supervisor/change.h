/* Changes of the settings while the daemon runs: RELOAD, SET and UNSET. One that takes the
 * transports down and up is answered when they are up again, or have failed to come up, or after
 * 20 s. Supervisor thread only. */
#ifndef SUPERVISOR_CHANGE_H
#define SUPERVISOR_CHANGE_H

#include "supervisor/core.h"
#include "supervisor/request.h"

void supervisor_change_init(struct supervisor *s);

/* The requests of these names; each answers. */
void supervisor_change_reload(struct supervisor *s, struct supervisor_request *r);
void supervisor_change_set(struct supervisor *s, struct supervisor_request *r);
void supervisor_change_unset(struct supervisor *s, struct supervisor_request *r);

/* Answers those that wait for the transports: these have settled, or the supervisor ends. */
void supervisor_change_answer_all(struct supervisor *s);

#endif
