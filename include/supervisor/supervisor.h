/* The thread that runs network_connector and the network_transport automata, their timers, the
 * network watch and the services. Other threads post requests to it. */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "base/err.h"
#include "loop/mailbox.h"
#include "supervisor/config.h"
#include "supervisor/request.h"

struct supervisor;

enum err supervisor_open(struct supervisor **out, const struct supervisor_config *config);
/* Call after the threads of the transports have ended, which returned their requests to the
 * supervisor's mailbox. Returns these to their senders, who close after it. */
void supervisor_close(struct supervisor **supervisor);
/* Starts the thread, which feeds `init` and `reconnect` to network_connector. */
enum err supervisor_start(struct supervisor *supervisor);
/* Stops the thread; after on_stopped for a clean stop. */
void supervisor_stop(struct supervisor *supervisor);
/* Only while the thread is not running. */
unsigned supervisor_stop_timeout_s(const struct supervisor *supervisor);

/* Any thread. ERR_FULL, ERR_CLOSED: the caller keeps the request. STOP is never refused. */
enum err supervisor_post(struct supervisor *supervisor, struct supervisor_request *r);

/* Any thread. ERR_FULL, ERR_CLOSED: the caller keeps the request. (connect_to, lists and the like
 * name their transport: they are posted to it directly, from any thread.) */
enum err supervisor_send(struct supervisor *supervisor, struct contacts_request *r);

/* Any thread. For work that must not overtake a send, such as its cancel: `r` is answered after the
 * sends posted before it were forwarded to their transports. ERR_FULL, ERR_CLOSED: the caller keeps
 * `r`. */
enum err supervisor_post_after_sends(struct supervisor *supervisor, struct request *r);

/* Any thread, never blocks: an outgoing connect succeeded (`connection-done`). Calls before the
 * supervisor handles it are coalesced. Not after supervisor_close. */
void supervisor_notify_connection_done(struct supervisor *supervisor);

#endif
