/* What the service manager (systemd) is told, and the sockets that it passes. libsystemd does the
 * talking; without NOTIFY_SOCKET nothing is said and nothing of this costs anything.
 *
 * The supervisor's thread tells the states (notify_news), main the watchdog: each call is one
 * datagram. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include "loop/loop.h"
#include "supervisor/config.h"

#include <stdbool.h>
#include <stdint.h>

/* The context of notify_news; zeroed at first. The supervisor's thread. */
struct notify {
    bool is_ready; /* READY=1 is out: until then a reload is part of the start */
};
void notify_news(void *ctx, enum supervisor_news news, const char *text); /* a supervisor_news_fn */

/* WATCHDOG=1 at half the interval that the service manager asked for, and only while no thread is
 * dead: each is asked by a message, and has answered or is judged (loop/pulse.h). A thread that
 * does not turn is told in the log, also without a service manager. Main thread. */
struct watchdog {
    struct loop *loop;
    struct timer timer;
    uint64_t quarter_ms; /* of the interval; 0: not started */
    bool is_served;      /* a service manager wants to know */
    bool is_between;     /* two questions */
    bool is_asked;       /* the threads were asked, and it was not told yet that all is well */
};
void watchdog_start(struct watchdog *w, struct loop *loop);
/* After each turn of main's loop. */
void watchdog_look(struct watchdog *w);
void watchdog_stop(struct watchdog *w);

/* The sockets that were passed (LISTEN_FDS), for tcp_transport_config: descriptors from `*first`
 * on. Returns how many. Once, at start. */
unsigned notify_passed_sockets(int *first);

#endif
