/* Errors of accept(2): which allow the next accept at once, how long to pause after the others, and
 * how often to log them. Pure: the time is an argument. */
#ifndef BASE_ACCEPT_ERROR_H
#define BASE_ACCEPT_ERROR_H

#include <stdbool.h>
#include <stdint.h>

enum {
    /* Without descriptors (EMFILE) and after unknown errors, an immediate retry would spin. */
    ACCEPT_ERROR_PAUSE_MS = 100,
    ACCEPT_ERROR_QUIET_MS =
        1000, /* errors after an error-free interval of this length are logged */
};

/* True for errors of the pending connection (reset, rejected by a firewall): accept the next one.
 */
bool accept_error_is_transient(int error_number);

/* State of one listener. All zero: no error yet. */
struct accept_error_log {
    uint64_t quiet_ms; /* an error at or after this time is a new one */
};

/* Records an error; true if it should be logged. A series of errors is logged once. */
bool accept_error_is_new(struct accept_error_log *log, uint64_t now_ms);

#endif
