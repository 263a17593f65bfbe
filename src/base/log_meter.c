#include "base/log_meter.h"

#include <string.h>

/* FNV-1a over the address. Whoever finds addresses that fall on one place shares his own share. */
static unsigned place_of(const char *peer)
{
    const char *port = strrchr(peer, ':');
    size_t length = port == NULL ? strlen(peer) : (size_t)(port - peer);
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)peer[i]) * 16777619u;
    return (hash ^ hash >> 16) % LOG_METER_PLACES;
}

bool log_meter_takes(struct log_meter *m, const char *peer, uint64_t second, unsigned limit,
                     unsigned *left_out)
{
    unsigned place = place_of(peer), lines;

    *left_out = 0;
    if (m->places[place].second != second) {
        lines = m->places[place].lines;
        *left_out = lines > limit ? lines - limit : 0;
        m->places[place].second = second;
        m->places[place].lines = 0;
    }
    return ++m->places[place].lines <= limit;
}
