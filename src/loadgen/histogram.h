/* A histogram of durations in buckets that grow with the value, so that a microsecond and a minute
 * are both told to within one part in 128. Of fixed size: counting allocates nothing. Pure; one
 * owner, merged by who sums up. (Debian 12 has no HdrHistogram for C.) */
#ifndef LOADGEN_HISTOGRAM_H
#define LOADGEN_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
    LOAD_HISTOGRAM_BITS = 7,     /* of precision */
    LOAD_HISTOGRAM_OCTAVES = 36, /* up to 2^42 ns, more than an hour; longer counts as that */
    LOAD_HISTOGRAM_BUCKETS = (LOAD_HISTOGRAM_OCTAVES + 1) << LOAD_HISTOGRAM_BITS,
};

/* All zero is an empty one. */
struct load_histogram {
    uint64_t count;
    uint64_t largest_ns;
    uint64_t sum_ns;
    uint64_t buckets[LOAD_HISTOGRAM_BUCKETS];
};

void load_histogram_add(struct load_histogram *h, uint64_t ns);
void load_histogram_merge(struct load_histogram *to, const struct load_histogram *from);

/* The least value that at least `share` (0 to 1) of the counted ones do not exceed, as the upper
 * end of its bucket, but never more than the largest. 0 for an empty one. */
uint64_t load_histogram_at(const struct load_histogram *h, double share);
uint64_t load_histogram_mean(const struct load_histogram *h);

#endif
