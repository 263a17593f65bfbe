/* The clocks. Deadlines use the monotonic one, ages ("up 3 days") the one that goes on while the
 * machine sleeps, stamps the real one, which an operator or NTP may set at any time: no duration is
 * a difference of two of its times. Pure rooms (engine, wire) never read a clock: they are told
 * `now`. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

/* Any thread. Monotonic milliseconds and microseconds since some point in the past. */
uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void);

/* Any thread. Microseconds since some point in the past, with the time that the machine slept. */
uint64_t clock_boot_us(void);

/* Any thread. When it was `age_us` ago, in real time as the clock goes now. */
int64_t clock_real_us_ago(uint64_t age_us);

/* Any thread. Microseconds since 1970-01-01T00:00:00Z. */
int64_t clock_real_us(void);

enum { CLOCK_TEXT_SIZE = 32 };

/* Any thread. Writes `real_us` as UTC, "2026-11-21T03:14:15.926Z", into `out`. Returns `out`. */
const char *clock_text(char out[CLOCK_TEXT_SIZE], int64_t real_us);

#endif
