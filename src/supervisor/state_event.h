/* Reporting a state change; shared by the files of this room. */
#ifndef SUPERVISOR_STATE_EVENT_H
#define SUPERVISOR_STATE_EVENT_H

#include "gateway/event.h"

/* Supervisor thread. Writes a log line and emits an event. `who` is the automaton's name in the
 * log, `proto` is "" for the network as a whole. */
void supervisor_state_event_emit(struct event_sink *events, enum event_kind kind, const char *who,
                                 const char *proto, const char *from, const char *to);

#endif
