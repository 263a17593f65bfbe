#include "base/random.h"

#include "base/clock.h"

#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <unistd.h>

/* splitmix64 */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t from_start(void)
{
    /* getauxval returns the address of 16 bytes as a number.
     * NOLINTNEXTLINE(performance-no-int-to-ptr) */
    const void *given = (const void *)getauxval(AT_RANDOM);
    uint64_t words[2] = {0};

    if (given != NULL)
        memcpy(words, given, sizeof words);
    return words[0] ^ mix(words[1]);
}

static void fill_without_kernel(unsigned char *to, size_t length)
{
    /* Relaxed: it only has to give each call another number. */
    static _Atomic uint64_t calls;
    uint64_t call = atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
    uint64_t state = from_start() ^ mix(clock_mono_us() ^ (uint64_t)getpid() << 32) ^ mix(call);

    for (size_t i = 0; i < length; i++) {
        if (i % sizeof state == 0)
            state = mix(state + UINT64_C(0x9e3779b97f4a7c15));
        to[i] = (unsigned char)(state >> i % sizeof state * 8);
    }
}

void random_fill(void *to, size_t length)
{
    unsigned char *at = to;
    ssize_t count;

    while (length > 0 && (count = getrandom(at, length, GRND_NONBLOCK)) > 0) {
        at += count;
        length -= (size_t)count;
    }
    fill_without_kernel(at, length);
}
