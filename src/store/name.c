/* The names of files that come in: "20261121T031415Z-0123456789abcdef.in". */
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
    GROUP = 8 /* about as many as a worker hands over at once */
};

/* Each thread has its own, so that no name waits for a lock and no random number is given twice:
 * the kernel is asked once for many, and the date is put together once a second. */
static _Thread_local struct {
    time_t second;
    char date[DATE_LENGTH + 1];
    unsigned left;
    unsigned given;
    uint64_t randoms[RANDOMS];
} supply;

bool store_name_is_valid(const char *name)
{
    size_t i;

    for (i = 0; name_pattern[i] != '\0'; i++) {
        char wanted = name_pattern[i], is = name[i];

        if (wanted == 'd' || wanted == 'x') {
            if (!(is >= '0' && is <= '9') && !(wanted == 'x' && is >= 'a' && is <= 'f'))
                return false;
        } else if (is != wanted) {
            return false;
        }
    }
    return name[i] == '\0';
}

/* A clock beyond the year 9999 is wrong, and no reason to take no files. */
static void supply_date(void)
{
    time_t now = (time_t)(clock_real_us() / 1000000);
    struct tm utc;

    if (now == supply.second && supply.date[0] != '\0')
        return;
    supply.second = now;
    if (gmtime_r(&now, &utc) == NULL || utc.tm_year < 0 ||
        strftime(supply.date, sizeof supply.date, "%Y%m%dT%H%M%SZ", &utc) != DATE_LENGTH)
        memcpy(supply.date, "00000000T000000Z", sizeof supply.date);
}

static void supply_randoms(void)
{
    if (supply.left > 0)
        return;
    random_fill(supply.randoms, sizeof supply.randoms);
    supply.left = RANDOMS;
}

/* A folder has one lock for the making of names and their taking away. So that the worker makes the
 * next files while the committer takes away the ones before, they stand in two folders in turn; the
 * name's last digit, odd or even, says in which. */
static uint64_t with_folder(uint64_t random)
{
    return (random & ~(uint64_t)1) | (supply.given++ / GROUP % 2);
}

bool store_name_is_of_second(const char *name)
{
    return strchr("13579bdf", name[LAST_DIGIT]) != NULL;
}

enum err store_name_choose(char name[STORE_NAME_SIZE])
{
    supply_date();
    supply_randoms();
    return text_format(name, STORE_NAME_SIZE, "%s-%016llx.in", supply.date,
                       (unsigned long long)with_folder(supply.randoms[--supply.left]));
}
