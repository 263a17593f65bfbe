/* The two clocks. Deadlines and ages use the monotonic one, what people and files see the real one.
 * Pure rooms (engine, wire) never read a clock: they are told `now`. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Any thread. Monotonic milliseconds and microseconds since some point in the past. */
uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);

/* Any thread. Microseconds since 1970-01-01T00:00:00Z. */
int64_t clock_real_us(void);

enum { CLOCK_TEXT_SIZE = 32 };

/* Any thread. Writes `real_us` as UTC, "2026-11-21T03:14:15.926Z", into `out`. Returns `out`. */
const char *clock_text(char out[CLOCK_TEXT_SIZE], int64_t real_us);

#endif
