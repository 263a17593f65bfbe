/* How many lines each peer may have a second, so that strangers cannot flood the log. A table of
 * fixed size: peers that fall on one place share what it has, so all of them together are bounded
 * too. Pure: the second is an argument. Owner: one thread. */
#ifndef BASE_LOG_METER_H
#define BASE_LOG_METER_H

#include <stdbool.h>
#include <stdint.h>

enum { LOG_METER_PLACES = 256 };

/* All zero is an empty one. */
struct log_meter {
    struct {
        uint64_t second;
        unsigned lines; /* asked for in it */
    } places[LOG_METER_PLACES];
};

/* True if one more line about `peer` ("1.2.3.4:7771", "[::1]:7771": the port does not matter) may
 * be written. With the first line of a second `*left_out` says how many were not, before it. */
bool log_meter_takes(struct log_meter *m, const char *peer, uint64_t second, unsigned limit,
                     unsigned *left_out);

#endif
