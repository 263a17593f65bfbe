/* Notifications to the service manager (systemd), and the sockets that it passes, by libsystemd.
 * Without NOTIFY_SOCKET every notification is a no-op.
 *
 * The supervisor's thread sends the states (notify_supervisor), main the watchdog pings; each is
 * one datagram. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include "loop/loop.h"
#include "supervisor/config.h"

#include <stdbool.h>
#include <stdint.h>

/* The context of notify_supervisor; zeroed initially. The supervisor's thread. */
struct notify {
    bool is_ready; /* READY=1 has been sent; until then a reload is part of the start */
};
/* A supervisor_notify_fn. */
void notify_supervisor(void *ctx, enum supervisor_notice notice, const char *text);

/* Sends WATCHDOG=1 at half the service manager's interval, and only while no thread is dead: each
 * is pinged by a message and has answered, or is checked (loop/pulse.h). A stalled thread is
 * logged, with or without a service manager. Main thread. */
struct watchdog {
    struct loop *loop;
    struct timer timer;
    uint64_t quarter_ms; /* of the interval; 0: not started */
    bool is_enabled;     /* the service manager expects WATCHDOG=1 */
    bool is_check_only;  /* the last tick of the timer did not ping */
    bool is_pending;     /* the threads were pinged, WATCHDOG=1 has not been sent for it yet */
};
void watchdog_start(struct watchdog *w, struct loop *loop);
/* After each turn of main's loop: sends WATCHDOG=1 once every thread has answered. */
void watchdog_poll(struct watchdog *w);
void watchdog_stop(struct watchdog *w);

/* The passed sockets (LISTEN_FDS), for tcp_transport_config: sets `*first` to the first of
 * consecutive descriptors and returns their number. Once, at start. */
unsigned notify_passed_sockets(int *first);

#endif
