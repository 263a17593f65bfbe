/* A histogram of durations with logarithmic buckets: the relative error is at most 1/128 for a
 * microsecond as for a minute. Fixed size, adding does not allocate. Pure; one owner, merged when
 * the threads have finished. (Debian 12 has no HdrHistogram for C.) */
#ifndef LOADGEN_HISTOGRAM_H
#define LOADGEN_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
    LOADGEN_HISTOGRAM_BITS = 7,     /* of precision */
    LOADGEN_HISTOGRAM_OCTAVES = 36, /* up to 2^42 ns, more than an hour; longer ones are clamped */
    LOADGEN_HISTOGRAM_BUCKETS = (LOADGEN_HISTOGRAM_OCTAVES + 1) << LOADGEN_HISTOGRAM_BITS,
};

/* Empty when all zero. */
struct loadgen_histogram {
    uint64_t count;
    uint64_t largest_ns;
    uint64_t sum_ns;
    uint64_t buckets[LOADGEN_HISTOGRAM_BUCKETS];
};

void loadgen_histogram_add(struct loadgen_histogram *h, uint64_t ns);
void loadgen_histogram_merge(struct loadgen_histogram *to, const struct loadgen_histogram *from);

/* The percentile for `share` (0 to 1): the upper end of its bucket, at most the largest value. 0 if
 * the histogram is empty. */
uint64_t loadgen_histogram_at(const struct loadgen_histogram *h, double share);
uint64_t loadgen_histogram_mean(const struct loadgen_histogram *h);

#endif
