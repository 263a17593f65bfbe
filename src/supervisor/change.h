/* Settings changes at run time: RELOAD, SET and UNSET, executed sequentially in order of arrival.
 * The files are read and written in a separate thread, so a hung disk delays nothing else; the
 * result is applied here and answered once it is on disk. A change that restarts the transports is
 * answered when they are up again or have failed, after 20 s at most. Supervisor thread only. */
#ifndef SUPERVISOR_CHANGE_H
#define SUPERVISOR_CHANGE_H

#include "supervisor/core.h"
#include "supervisor/request.h"

void supervisor_change_init(struct supervisor *s);

/* RELOAD, SET, UNSET: answered when done. A RELOAD is merged into one that is queued but not begun,
 * and answered with it. ERR_FULL: too many are queued; logged unless a queued RELOAD does the same.
 */
void supervisor_change_enqueue(struct supervisor *s, struct supervisor_request *r);

/* For a stop: answers the queued ones with ERR_CLOSED. The running one is still completed. */
void supervisor_change_refuse_queued(struct supervisor *s);

/* Answers those that wait for the transports: these have settled, or the supervisor stops. */
void supervisor_change_answer_applied(struct supervisor *s);

#endif
