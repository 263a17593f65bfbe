#include "base/metrics.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>

/* A block is written by its thread only and read by any thread: relaxed atomics prevent torn reads
 * without locks. Blocks (one per thread of the daemon) are never freed, so that the counts of an
 * exited thread stay in the sum. */
struct block {
    _Atomic uint64_t counters[METRIC_COUNT];
};

enum { BLOCKS_MAX = 256 };

static struct block blocks[BLOCKS_MAX];
static _Atomic unsigned block_count;
static _Thread_local struct block *mine;

static struct block *my_block(void)
{
    if (mine == NULL) {
        unsigned index = atomic_fetch_add(&block_count, 1);

        /* With too many threads the last block is shared: counts can be lost then. */
        mine = &blocks[index < BLOCKS_MAX ? index : BLOCKS_MAX - 1];
    }
    return mine;
}

void metrics_add(enum metric metric, uint64_t amount)
{
    _Atomic uint64_t *counter = &my_block()->counters[metric];
    uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);

    atomic_store_explicit(counter, now + amount, memory_order_relaxed);
}

uint64_t metrics_sum(enum metric metric)
{
    unsigned count = atomic_load(&block_count);
    uint64_t sum = 0;

    if (count > BLOCKS_MAX)
        count = BLOCKS_MAX;
    for (unsigned i = 0; i < count; i++)
        sum += atomic_load_explicit(&blocks[i].counters[metric], memory_order_relaxed);
    return sum;
}

bool metrics_is_limit(enum metric metric)
{
    static const bool list[METRIC_COUNT] = {
#define X(name, word, meaning) [name] = true,
        METRIC_LIMITS_LIST(X)
#undef X
    };
    return list[metric];
}

const char *metrics_word(enum metric metric)
{
    static const char *const list[] = {
#define X(name, word, meaning) [name] = word,
        METRIC_LIST(X)
#undef X
    };
    return list[metric];
}
