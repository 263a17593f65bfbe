/* The rooms of the daemon: opened and started from the lowest layer up, stopped and closed in the
 * reverse order. Main thread. */
#ifndef DAEMON_ROOMS_H
#define DAEMON_ROOMS_H

#include "base/err.h"
#include "control/control.h"
#include "daemon/notify.h"
#include "daemon/sandbox.h"
#include "daemon/stop_limit.h"
#include "daemon/transports.h"
#include "gateway_client/client.h"
#include "loop/loop.h"
#include "settings/settings.h"
#include "supervisor/supervisor.h"

#include <stdbool.h>

/* The caller sets `paths`, `in_force` and `loop` before rooms_start and zeroes the rest. */
struct rooms {
    struct settings_paths paths;
    struct settings_in_force in_force; /* as read at the start */
    struct loop *loop; /* main's: signals, and the message that the stop is complete */
    struct event_sink *events;
    struct gateway *gateway;
    struct gateway_client *gateway_client; /* idle without a remote gateway */
    struct inbox *inbox;
    struct committer *committer;
    struct transports transports;
    struct supervisor *supervisor;
    struct control *control;
    struct message stopped;
    struct request client_idle;
    struct sandbox sandbox;
    struct notify notify;
    struct watchdog watchdog;
    struct stop_limit stop_limit;
    bool is_stopped;
    bool is_client_idle;
    bool is_committer_running, is_client_running, is_supervisor_running, is_control_running;
};

/* An error is logged, and the caller still calls rooms_stop. */
enum err rooms_start(struct rooms *rooms);

/* One turn of main's loop. */
void rooms_turn(struct rooms *rooms);

/* Makes the supervisor reload the settings, or begin to stop: `is_stopped` is set when it has. */
void rooms_reload(struct rooms *rooms);
void rooms_begin_stop(struct rooms *rooms);

/* Stops what is running and closes everything. A step that takes too long exits the process
 * (stop_limit.h). */
void rooms_stop(struct rooms *rooms);

#endif
