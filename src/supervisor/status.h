/* STATUS and SERVICES, and why the network is not CONNECTED. Supervisor thread only. */
#ifndef SUPERVISOR_STATUS_H
#define SUPERVISOR_STATUS_H

#include "supervisor/core.h"
#include "supervisor/request.h"

/* Fills in and answers STATUS (when the transports have counted) and SERVICES. */
void supervisor_status_answer(struct supervisor *s, struct supervisor_request *r);
void supervisor_status_answer_services(struct supervisor *s, struct supervisor_request *r);

/* Why the network is not CONNECTED, a sentence without full stop; "" if nothing is wrong. */
void supervisor_status_reason(struct supervisor *s, char out[REASON_SIZE]);
/* True, with the reason, if the network is DISCONNECTED and is not meant to be. */
bool supervisor_status_is_failing(struct supervisor *s, char reason[REASON_SIZE]);
/* The same for STATUS, with the time of the next try; also says that the daemon is stopping. */
void supervisor_status_advice(struct supervisor *s, char out[REASON_SIZE]);

#endif
