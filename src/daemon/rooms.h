/* The rooms of the daemon: opened and started from the ground up, stopped and closed from the top
 * down. Main thread. */
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

/* `paths`, `in_force` and `loop` are set before rooms_start, the rest is zeroed. */
struct rooms {
    struct settings_paths paths;
    struct settings_in_force in_force; /* as read at the start */
    struct loop *loop; /* main's own: signals and the news that the stop is complete */
    struct event_sink *events;
    struct gateway *gateway;
    struct gateway_client *gateway_client; /* to a remote gateway, if there ever is one */
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
    /* threads that run */
    bool is_committing, is_client_up, is_supervised, is_controlled;
};

/* An error is in the log, and leaves what was started to rooms_stop. */
enum err rooms_start(struct rooms *rooms);

/* One turn of main's loop. */
void rooms_turn(struct rooms *rooms);

/* The supervisor reads the settings again, or begins to stop: `is_stopped` when it is complete. */
void rooms_reload(struct rooms *rooms);
void rooms_begin_stop(struct rooms *rooms);

/* Each only if it runs. A step of it that takes too long ends the process (stop_limit.h). */
void rooms_stop(struct rooms *rooms);

#endif
