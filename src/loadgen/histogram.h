/* A histogram of durations in buckets that grow with the value, so that a microsecond and a minute
 * are both told to within one part in 128. Of fixed size: counting allocates nothing. Pure; one
 * owner, merged by who sums up. (Debian 12 has no HdrHistogram for C.) */
#ifndef LOADGEN_HISTOGRAM_H
#define LOADGEN_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
    LOADGEN_HISTOGRAM_BITS = 7,     /* of precision */
    LOADGEN_HISTOGRAM_OCTAVES = 36, /* up to 2^42 ns, more than an hour; longer counts as that */
    LOADGEN_HISTOGRAM_BUCKETS = (LOADGEN_HISTOGRAM_OCTAVES + 1) << LOADGEN_HISTOGRAM_BITS,
};

/* All zero is an empty one. */
struct loadgen_histogram {
    uint64_t count;
    uint64_t largest_ns;
    uint64_t sum_ns;
    uint64_t buckets[LOADGEN_HISTOGRAM_BUCKETS];
};

void loadgen_histogram_add(struct loadgen_histogram *h, uint64_t ns);
void loadgen_histogram_merge(struct loadgen_histogram *to, const struct loadgen_histogram *from);

/* The least value that at least `share` (0 to 1) of the counted ones do not exceed, as the upper
 * end of its bucket, but never more than the largest. 0 for an empty one. */
uint64_t loadgen_histogram_at(const struct loadgen_histogram *h, double share);
uint64_t loadgen_histogram_mean(const struct loadgen_histogram *h);

#endif
