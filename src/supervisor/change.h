/* Changes of the settings while the daemon runs: RELOAD, SET and UNSET, one after the other in the
 * order in which they were asked for. The files are read and written in a thread of their own, so
 * that a disk that does not answer delays nothing else; what comes of it is taken in here, and
 * answered when it is on the disk. One that takes the
 * transports down and up is answered when they are up again, or have failed to come up, or after
 * 20 s. Supervisor thread only. */
#ifndef SUPERVISOR_CHANGE_H
#define SUPERVISOR_CHANGE_H

#include "supervisor/core.h"
#include "supervisor/request.h"

void supervisor_change_init(struct supervisor *s);

/* RELOAD, SET, UNSET: answers it, later. ERR_FULL: too many wait. */
void supervisor_change_ask(struct supervisor *s, struct supervisor_request *r);

/* The supervisor stops: answers those that wait for the one under way, which still comes back. */
void supervisor_change_refuse_waiting(struct supervisor *s);

/* Answers those that wait for the transports: these have settled, or the supervisor ends. */
void supervisor_change_answer_all(struct supervisor *s);

#endif
