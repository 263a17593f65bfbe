/* What accept(2) fails with: whether the next one in the backlog can be taken at once, for how long
 * to pause if not, and how often to say so. Pure: the time is an argument. */
#ifndef BASE_ACCEPT_ERROR_H
#define BASE_ACCEPT_ERROR_H

#include <stdbool.h>
#include <stdint.h>

enum {
    /* Without descriptors (EMFILE), and after anything unknown, accepting again at once would only
     * spin: wait for some to close. */
    ACCEPT_ERROR_PAUSE_MS = 100,
    ACCEPT_ERROR_QUIET_MS = 1000, /* trouble that was away for so long is told again */
};

/* True for the errors of a connection that broke off, or that a firewall forbade, before it was
 * ours: take the next one. */
bool accept_error_is_transient(int error_number);

/* Of one listener. All zero: none yet. */
struct accept_error_log {
    uint64_t quiet_ms; /* without more of it until then it is over */
};

/* One more pause; true if it is to be told. Descriptors that come and go are one trouble. */
bool accept_error_is_new(struct accept_error_log *trouble, uint64_t now_ms);

#endif
