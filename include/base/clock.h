/* The clocks. Deadlines use CLOCK_MONOTONIC, ages ("up 3 days") CLOCK_BOOTTIME, timestamps
 * CLOCK_REALTIME, which can be set at any time: never compute a duration from it. Pure rooms
 * (engine, wire) never read a clock: `now` is an argument. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Any thread. Monotonic milliseconds and microseconds since an arbitrary point. */
uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);

/* Any thread. Microseconds since an arbitrary point, including suspend. */
uint64_t clock_boot_us(void);

/* Any thread. The real time `age_us` ago, by the current setting of the clock. */
int64_t clock_real_us_ago(uint64_t age_us);

/* Any thread. Microseconds since 1970-01-01T00:00:00Z. */
int64_t clock_real_us(void);

enum { CLOCK_TEXT_SIZE = 32 };

/* Any thread. Writes `real_us` as UTC, "2026-11-21T03:14:15.926Z", into `out`. Returns `out`. */
const char *clock_text(char out[CLOCK_TEXT_SIZE], int64_t real_us);

#endif
