/* Ring buffer of the latest events, numbered from 1. A gap in the numbers means lost events.
 * Belongs to the control thread. */
#ifndef CONTROL_EVENT_RING_H
#define CONTROL_EVENT_RING_H

#include "base/err.h"
#include "gateway/event.h"

#include <stddef.h>
#include <stdint.h>

struct control_event_ring;
enum err control_event_ring_open(struct control_event_ring **out, size_t limit);
void control_event_ring_close(struct control_event_ring **ring);
/* Takes ownership of `e`; `lost` events were lost before it. */
void control_event_ring_add(struct control_event_ring *ring, struct event *e, uint64_t lost);
uint64_t control_event_ring_last(const struct control_event_ring *ring); /* 0: none yet */

struct control_event_page {
    uint64_t last; /* `after` of the next read */
    uint64_t lost; /* events between `after` and `last` that are no longer available */
    size_t count;
};
typedef void control_event_ring_each_fn(void *ctx, const struct event *e);
/* Reads up to `limit` events after number `after`. A number above the last one is of an earlier run
 * of the daemon, so all events of this run are read. */
struct control_event_page control_event_ring_read(const struct control_event_ring *ring,
                                                  uint64_t after, size_t limit,
                                                  control_event_ring_each_fn *each, void *ctx);

#endif
