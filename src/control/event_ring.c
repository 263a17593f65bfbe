#include "control/event_ring.h"

#include "base/contract.h"

#include <stdlib.h>

struct control_event_ring {
    struct event **events;
    size_t limit, first, count;
    uint64_t last;
};

enum err control_event_ring_open(struct control_event_ring **out, size_t limit)
{
    struct control_event_ring *ring = calloc(1, sizeof *ring);

    if (limit == 0)
        limit = 1;
    if (ring == NULL || (ring->events = calloc(limit, sizeof(struct event *))) == NULL) {
        free(ring);
        return ERR_NO_MEMORY;
    }
    ring->limit = limit;
    *out = ring;
    return ERR_OK;
}

static struct event **slot(const struct control_event_ring *ring, size_t index)
{
    return &ring->events[(ring->first + index) % ring->limit];
}

void control_event_ring_close(struct control_event_ring **ring)
{
    if (*ring == NULL)
        return;
    for (size_t i = 0; i < (*ring)->count; i++)
        event_free(slot(*ring, i));
    free((*ring)->events);
    free(*ring);
    *ring = NULL;
}

void control_event_ring_add(struct control_event_ring *ring, struct event *e, uint64_t lost)
{
    CONTRACT(e != NULL);
    if (ring->count == ring->limit) {
        event_free(slot(ring, 0));
        ring->first = (ring->first + 1) % ring->limit;
        ring->count--;
    }
    ring->last += lost + 1;
    e->number = ring->last;
    *slot(ring, ring->count++) = e;
}

uint64_t control_event_ring_last(const struct control_event_ring *ring)
{
    return ring->last;
}

/* Index of the first event after `after`, by binary search. */
static size_t find_after(const struct control_event_ring *ring, uint64_t after)
{
    size_t low = 0, high = ring->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if ((*slot(ring, middle))->number > after)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

struct control_event_page control_event_ring_read(const struct control_event_ring *ring,
                                                  uint64_t after, size_t limit,
                                                  control_event_ring_each_fn *each, void *ctx)
{
    struct control_event_page page = {.last = after};

    if (after > ring->last)
        after = page.last = 0;
    for (size_t i = find_after(ring, after); i < ring->count && page.count < limit; i++) {
        const struct event *e = *slot(ring, i);

        page.lost += e->number - page.last - 1;
        page.last = e->number;
        page.count++;
        each(ctx, e);
    }
    return page;
}
