/* The last events, numbered from 1. A number that is missing is an event that was lost. Belongs to
 * the control thread. */
#ifndef CONTROL_EVENT_RING_H
#define CONTROL_EVENT_RING_H

#include "base/err.h"
#include "gateway/event.h"

#include <stddef.h>
#include <stdint.h>

struct control_event_ring;
enum err control_event_ring_open(struct control_event_ring **out, size_t limit);
void control_event_ring_close(struct control_event_ring **ring);
/* Takes over `e`; `lost` events were lost before it. */
void control_event_ring_add(struct control_event_ring *ring, struct event *e, uint64_t lost);
uint64_t control_event_ring_last(const struct control_event_ring *ring); /* 0: none yet */

struct control_event_page {
    uint64_t last; /* what to give as `after` next */
    uint64_t lost; /* numbers between `after` and `last` that nobody can be told of */
    size_t count;
};
typedef void control_event_ring_each_fn(void *ctx, const struct event *e);
/* The events behind `after`, at most `limit`. An `after` that is still to come is of an earlier run
 * of the daemon: whoever brings it has seen none of this run's, and gets them from the first on. */
struct control_event_page control_event_ring_read(const struct control_event_ring *ring,
                                                  uint64_t after, size_t limit,
                                                  control_event_ring_each_fn *each, void *ctx);

#endif
