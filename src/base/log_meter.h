/* Limits the log lines per peer and second, so that unauthenticated peers cannot flood the log. A
 * hash table of fixed size: peers in one slot share its limit, so the total is bounded too. Pure:
 * the second is an argument. Owner: one thread. */
#ifndef BASE_LOG_METER_H
#define BASE_LOG_METER_H

#include <stdbool.h>
#include <stdint.h>

enum { LOG_METER_SLOTS = 256 };

/* All zero is an empty one. */
struct log_meter {
    struct {
        uint64_t second;
        unsigned lines; /* requested in that second */
    } slots[LOG_METER_SLOTS];
};

/* True if one more line about `peer` ("1.2.3.4:7771", "[::1]:7771"; the port is ignored) is within
 * the limit. With the first line of a second `*suppressed` is the number of lines dropped before.
 */
bool log_meter_allows(struct log_meter *m, const char *peer, uint64_t second, unsigned limit,
                      unsigned *suppressed);

#endif
