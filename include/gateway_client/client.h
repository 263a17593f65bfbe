/* The remote gateway: gateway_ops over XML-RPC to another process, by HTTP on loopback or a Unix
 * socket. One thread with its own loop; a bounded number of calls at once (curl_multi), the calls
 * of one transfer in sequence. A worker that calls only copies and posts, so a slow gateway slows
 * no worker; docs/gateway.md has the rules for one that is dead, hangs or answers faults.
 *
 * Owner: the client thread. The limit of pending calls is [gateway] queue-limit: at the limit
 * gateway_is_full pauses the workers' reading; calls for active files are still accepted. */
#ifndef GATEWAY_CLIENT_CLIENT_H
#define GATEWAY_CLIENT_CLIENT_H

#include "base/err.h"
#include "gateway/gateway.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gateway_client;
extern const struct gateway_ops gateway_client_ops; /* `self` is the client */

/* Main thread. Uses [gateway] url; without one, no call is made before gateway_client_init. */
enum err gateway_client_open(struct gateway_client **out, const struct settings *settings);
void gateway_client_close(struct gateway_client **client);
enum err gateway_client_start(struct gateway_client *client);

/* Main thread, in this order at a stop. Shut: pending calls are made for up to `grace_ms`, or until
 * the gateway is unreachable; then these and all later ones complete with ERR_CLOSED. Await: `idle`
 * completes when no call is pending. Stop: joins the thread. */
void gateway_client_shut(struct gateway_client *client, uint64_t grace_ms);
void gateway_client_await_idle(struct gateway_client *client, struct request *idle);
void gateway_client_stop(struct gateway_client *client);

/* Any thread. A new instance of the gateway, at `url` (must pass settings_gateway_url_check):
 * what was registered with an earlier one and is still unreported is registered again, then
 * unregistered. What is posted afterwards goes to it. ERR_NO_MEMORY: nothing was changed. */
enum err gateway_client_init(struct gateway_client *client, const char *url, bool has_file_result);

/* Any thread. The gateway has called `connect`. What an earlier run of the daemon did not report to
 * a gateway (instance 0) waits for this or for gateway_client_init: without an init it is the same
 * instance, which knows the ids of that time. */
void gateway_client_confirm(struct gateway_client *client);

/* Any thread. Number of pending calls, sent or queued. */
size_t gateway_client_waiting(const struct gateway_client *client);

#endif
