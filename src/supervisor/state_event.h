/* What the files of this room share: telling the world of a change of state, and the two ways from
 * a member back to its struct. */
#ifndef SUPERVISOR_STATE_EVENT_H
#define SUPERVISOR_STATE_EVENT_H

#include "gateway/event.h"

#include <stddef.h>

/* From a message or timer back to what it lives in. */
#define CONTAINER_OF(pointer, type, member) \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Supervisor thread. One log line and one event. `who` is the machine's name in the line, `proto`
 * is "" for the network as a whole. */
void supervisor_state_event_emit(struct event_sink *events, enum event_kind kind, const char *who,
                                 const char *proto, const char *from, const char *to);

#endif
