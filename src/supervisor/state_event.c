#include "supervisor/state_event.h"

#include "base/log.h"

#include <stdio.h>

void supervisor_state_event_emit(struct event_sink *events, enum event_kind kind, const char *who,
                                 const char *proto, const char *from, const char *to)
{
    struct event *e;

    log_info("%s: %s -> %s", who, from, to);
    if (events == NULL || (e = event_new(kind, NULL, NULL, NULL)) == NULL)
        return;
    snprintf(e->proto, sizeof e->proto, "%s", proto);
    snprintf(e->from_state, sizeof e->from_state, "%s", from);
    snprintf(e->to_state, sizeof e->to_state, "%s", to);
    event_emit(events, e);
}
