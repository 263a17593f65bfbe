#include "loadgen/histogram.h"

enum { LINEAR = 1 << LOADGEN_HISTOGRAM_BITS };

/* Below LINEAR one bucket for each value; above, each octave has LINEAR buckets of equal width. */
static size_t bucket_of(uint64_t ns)
{
    unsigned shift;

    if (ns < LINEAR)
        return (size_t)ns;
    shift = 63 - (unsigned)__builtin_clzll(ns) - LOADGEN_HISTOGRAM_BITS;
    if (shift >= LOADGEN_HISTOGRAM_OCTAVES)
        return LOADGEN_HISTOGRAM_BUCKETS - 1;
    return ((size_t)(shift + 1) << LOADGEN_HISTOGRAM_BITS) + (size_t)(ns >> shift) - LINEAR;
}

static uint64_t upper_end_of(size_t bucket)
{
    size_t octave = bucket >> LOADGEN_HISTOGRAM_BITS, within = bucket & (LINEAR - 1);

    if (octave == 0)
        return within;
    return ((uint64_t)(LINEAR + within + 1) << (octave - 1)) - 1;
}

void loadgen_histogram_add(struct loadgen_histogram *h, uint64_t ns)
{
    h->buckets[bucket_of(ns)]++;
    h->count++;
    h->sum_ns += ns;
    if (ns > h->largest_ns)
        h->largest_ns = ns;
}

void loadgen_histogram_merge(struct loadgen_histogram *to, const struct loadgen_histogram *from)
{
    for (size_t i = 0; i < LOADGEN_HISTOGRAM_BUCKETS; i++)
        to->buckets[i] += from->buckets[i];
    to->count += from->count;
    to->sum_ns += from->sum_ns;
    if (from->largest_ns > to->largest_ns)
        to->largest_ns = from->largest_ns;
}

uint64_t loadgen_histogram_at(const struct loadgen_histogram *h, double share)
{
    double wanted = share * (double)h->count;
    uint64_t seen = 0;
    size_t bucket;

    for (bucket = 0; bucket + 1 < LOADGEN_HISTOGRAM_BUCKETS; bucket++) {
        seen += h->buckets[bucket];
        if (seen > 0 && (double)seen >= wanted)
            break;
    }
    return bucket + 1 < LOADGEN_HISTOGRAM_BUCKETS && upper_end_of(bucket) < h->largest_ns
               ? upper_end_of(bucket)
               : h->largest_ns;
}

uint64_t loadgen_histogram_mean(const struct loadgen_histogram *h)
{
    return h->count == 0 ? 0 : h->sum_ns / h->count;
}
