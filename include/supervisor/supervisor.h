/* The thread that runs network_connector and the network_transport automata, their timers, the
 * network watch and the services. Others ask it by requests. */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "base/err.h"
#include "loop/mailbox.h"
#include "supervisor/config.h"
#include "supervisor/request.h"

struct supervisor;

enum err supervisor_open(struct supervisor **out, const struct supervisor_config *config);
/* After the threads of the transports have ended: requests that they still had come back before,
 * and are given back to their askers here, who close after it. */
void supervisor_close(struct supervisor **supervisor);
/* Feeds `init` and `reconnect` to network_connector: the transports come up. */
enum err supervisor_start(struct supervisor *supervisor);
/* Ends the thread; after on_stopped, or at once when a second signal says so. */
void supervisor_stop(struct supervisor *supervisor);
/* While its thread does not run. */
unsigned supervisor_stop_timeout_s(const struct supervisor *supervisor);

/* Any thread. ERR_FULL, ERR_CLOSED: the request stays the caller's. A STOP is never refused. */
enum err supervisor_post(struct supervisor *supervisor, struct supervisor_request *r);

/* Any thread. ERR_FULL, ERR_CLOSED: the request stays the caller's. (connect_to, lists and the like
 * need no choice: they go straight to a transport, which takes them from any thread.) */
enum err supervisor_send(struct supervisor *supervisor, struct contacts_request *r);

/* Any thread. For what must not overtake a send, like its cancel: `r` is answered after the sends
 * posted before it were handed to their transports. ERR_FULL, ERR_CLOSED: it stays the caller's. */
enum err supervisor_ask_behind_sends(struct supervisor *supervisor, struct request *r);

/* Any thread, never waits: an outgoing connect succeeded (`connection-done`). Many at once are told
 * as one. Not after supervisor_close. */
void supervisor_tell_connection_done(struct supervisor *supervisor);

#endif
