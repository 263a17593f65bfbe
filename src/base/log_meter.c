#include "base/log_meter.h"

#include <string.h>

/* FNV-1a over the address. A peer that finds colliding addresses only shares its own limit. */
static unsigned slot_of(const char *peer)
{
    const char *port = strrchr(peer, ':');
    size_t length = port == NULL ? strlen(peer) : (size_t)(port - peer);
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)peer[i]) * 16777619u;
    return (hash ^ hash >> 16) % LOG_METER_SLOTS;
}

bool log_meter_allows(struct log_meter *m, const char *peer, uint64_t second, unsigned limit,
                      unsigned *suppressed)
{
    unsigned slot = slot_of(peer), lines;

    *suppressed = 0;
    if (m->slots[slot].second != second) {
        lines = m->slots[slot].lines;
        *suppressed = lines > limit ? lines - limit : 0;
        m->slots[slot].second = second;
        m->slots[slot].lines = 0;
    }
    return ++m->slots[slot].lines <= limit;
}
