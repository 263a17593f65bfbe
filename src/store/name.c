/* Names of received files: "20261121T031415Z-0123456789abcdef.in". */
#include "store/name.h"

#include "base/clock.h"
#include "base/random.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char name_pattern[] = "ddddddddTddddddZ-xxxxxxxxxxxxxxxx.in";

enum {
    DATE_LENGTH = 16,
    LAST_DIGIT = DATE_LENGTH + 1 + 15,
    RANDOMS = 32,
    NAMES_PER_DIRECTORY = 8 /* about as many as a worker submits at once */
};

/* Per thread, so that choosing a name takes no lock and no random number is used twice: random
 * numbers are read from the kernel in batches, the date is formatted once a second. */
static _Thread_local struct {
    time_t second;
    char date[DATE_LENGTH + 1];
    unsigned left;
    unsigned names_given;
    uint64_t randoms[RANDOMS];
} cache;

bool store_name_is_valid(const char *name)
{
    size_t i;

    for (i = 0; name_pattern[i] != '\0'; i++) {
        char expected = name_pattern[i], actual = name[i];

        if (expected == 'd' || expected == 'x') {
            if (!(actual >= '0' && actual <= '9') &&
                !(expected == 'x' && actual >= 'a' && actual <= 'f'))
                return false;
        } else if (actual != expected) {
            return false;
        }
    }
    return name[i] == '\0';
}

/* A clock beyond the year 9999 is wrong, but no reason to refuse files. */
static void refresh_date(void)
{
    time_t now = (time_t)(clock_real_us() / 1000000);
    struct tm utc;

    if (now == cache.second && cache.date[0] != '\0')
        return;
    cache.second = now;
    if (gmtime_r(&now, &utc) == NULL || utc.tm_year < 0 ||
        strftime(cache.date, sizeof cache.date, "%Y%m%dT%H%M%SZ", &utc) != DATE_LENGTH)
        memcpy(cache.date, "00000000T000000Z", sizeof cache.date);
}

static void refill_randoms(void)
{
    if (cache.left > 0)
        return;
    random_fill(cache.randoms, sizeof cache.randoms);
    cache.left = RANDOMS;
}

/* A directory has one lock for creating and removing names. Partial files alternate between two
 * directories, so that the worker can create files in one while the committer renames files out of
 * the other. The last digit of the name, odd or even, selects the directory. */
static uint64_t with_directory_bit(uint64_t random)
{
    return (random & ~(uint64_t)1) | (cache.names_given++ / NAMES_PER_DIRECTORY % 2);
}

bool store_name_is_in_partial2(const char *name)
{
    return strchr("13579bdf", name[LAST_DIGIT]) != NULL;
}

enum err store_name_choose(char name[STORE_NAME_SIZE])
{
    refresh_date();
    refill_randoms();
    return text_format(name, STORE_NAME_SIZE, "%s-%016llx.in", cache.date,
                       (unsigned long long)with_directory_bit(cache.randoms[--cache.left]));
}
