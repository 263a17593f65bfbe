/* STATUS and SERVICES, and the reason why the network is not CONNECTED. Supervisor thread only. */
#ifndef SUPERVISOR_STATUS_H
#define SUPERVISOR_STATUS_H

#include "supervisor/core.h"
#include "supervisor/request.h"

/* Answer STATUS (once every transport has reported its counts) and SERVICES. */
void supervisor_status_answer(struct supervisor *s, struct supervisor_request *r);
void supervisor_status_answer_services(struct supervisor *s, struct supervisor_request *r);

/* Why the network is not CONNECTED, without a full stop; "" if nothing is wrong. */
void supervisor_status_reason(struct supervisor *s, char out[REASON_SIZE]);
/* True, with the reason, if the network should be CONNECTED and is DISCONNECTED. */
bool supervisor_status_is_failing(struct supervisor *s, char reason[REASON_SIZE]);
/* The reason for STATUS, with the time of the next retry; or that the daemon is stopping. */
void supervisor_status_advice(struct supervisor *s, char out[REASON_SIZE]);

#endif
