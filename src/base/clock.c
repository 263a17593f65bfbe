#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t ns_of(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t clock_mono_ms(void)
{
    return ns_of(CLOCK_MONOTONIC) / 1000000u;
}

uint64_t clock_mono_us(void)
{
    return ns_of(CLOCK_MONOTONIC) / 1000u;
}

uint64_t clock_boot_us(void)
{
    return ns_of(CLOCK_BOOTTIME) / 1000u;
}

int64_t clock_real_us_ago(uint64_t age_us)
{
    return clock_real_us() - (int64_t)age_us;
}

int64_t clock_real_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

const char *clock_text(char out[CLOCK_TEXT_SIZE], int64_t real_us)
{
    int64_t second = real_us / 1000000, micro = real_us % 1000000;
    time_t when;
    struct tm utc;
    char date[24];

    if (micro < 0) { /* before 1970: the clock was set wrongly */
        micro += 1000000;
        second--;
    }
    when = (time_t)second;
    if (gmtime_r(&when, &utc) == NULL ||
        strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc) == 0)
        snprintf(date, sizeof date, "?");
    snprintf(out, CLOCK_TEXT_SIZE, "%s.%03dZ", date, (int)(micro / 1000));
    return out;
}
