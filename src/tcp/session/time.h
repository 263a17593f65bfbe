/* What follows when the timer fires. */
#ifndef TCP_SESSION_TIME_H
#define TCP_SESSION_TIME_H

#include "loop/loop.h"
#include "tcp/session/core.h"

enum {
    SESSION_CHECK_MS = 1000, /* between the checks of files under way */
};

/* The fire function of every session's timer: the session judges it in its next turn. */
void session_time_is_up(struct timer *timer, void *ctx);

/* In the session's turn, when what had come was read: does what is due, if the timer has fired. */
void session_time_judge(struct session *c);

#endif
