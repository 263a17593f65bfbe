/* The timeouts of a session. */
#ifndef TCP_SESSION_TIME_H
#define TCP_SESSION_TIME_H

#include "loop/loop.h"
#include "tcp/session/core.h"

enum {
    SESSION_CHECK_MS = 1000, /* interval of the checks while files are active */
};

/* The fire function of every session's timer: wakes the session, whose turn calls
 * session_time_check. */
void session_time_fired(struct timer *timer, void *ctx);

/* In the session's turn, after reading: handles a timer that has fired. */
void session_time_check(struct session *c);

#endif
