/* The registry of transports and gateways: the transports and their state, the gateway that is
 * notified of files, and the choice of a transport for a send. Supervisor thread, unless a function
 * says otherwise. */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include "base/err.h"
#include "gateway/event.h"
#include "gateway/gateway_ops.h"
#include "gateway/transport_table.h"

#include <stdbool.h>
#include <stdint.h>

enum { GATEWAY_CONTACTS_MAX = 16 };

struct gateway;

struct gateway_transport {
    const struct transport_row *row;
    bool is_enabled;   /* by its service */
    bool is_listening; /* network_transport is LISTENING */
    bool is_sending_enabled, is_receiving_enabled;
    unsigned priority;
    char state[24];               /* of network_transport, for display */
    char off_reason[REASON_SIZE]; /* if not is_enabled: what is disabled and how to enable it */
};

/* At start, before other threads. The built-in gateway is active until gateway_set. */
enum err gateway_open(struct gateway **out, struct event_sink *events);
void gateway_close(struct gateway **gateway);
/* At start. `row` is borrowed and must outlive the gateway. ERR_EXISTS: a transport of that name is
 * registered. ERR_FULL: GATEWAY_TRANSPORTS_MAX are registered. */
enum err gateway_add(struct gateway *gateway, const struct transport_row *row);

/* At start, or later in the supervisor thread. Replaces the built-in gateway; every call must pass
 * the same one. `self` is borrowed, passed to every operation and must outlive every thread. New
 * transfers use it; those registered with the built-in gateway also end there. */
void gateway_set(struct gateway *gateway, const struct gateway_ops *ops, void *self);

/* A gateway: operations and their first argument. */
struct gateway_binding {
    const struct gateway_ops *ops;
    void *self;
};
/* Any thread. The gateway for new transfers. */
const struct gateway_binding *gateway_current(struct gateway *gateway);

/* Any thread. The operations of gateway_ops for a transfer. It is registered with the current
 * gateway (a send: with the one that was current at its request) and ends with the same one. */
enum err gateway_register(struct gateway *gateway, struct gateway_transfer *transfer);
/* Call when a registration that was ERR_PENDING has completed: copies its result to the transfer.
 */
void gateway_registered(struct gateway_transfer *transfer);
enum err gateway_receiving_ended(struct gateway *gateway, struct gateway_transfer *transfer);
void gateway_sending_ended(struct gateway *gateway, struct gateway_transfer *transfer);
/* Copies the request's fields to the transfer; the strings are borrowed from the request. */
void gateway_describe_send(struct gateway_transfer *transfer, const struct send_request *send);
bool gateway_is_full(struct gateway *gateway);
/* The transfer's id at the remote gateway; 0: not registered with one. */
uint32_t gateway_remote_id(const struct gateway_transfer *transfer);

/* Supervisor thread. */
unsigned gateway_count(const struct gateway *gateway);
struct gateway_transport *gateway_transport_at(struct gateway *gateway, unsigned index);
struct gateway_transport *gateway_find(struct gateway *gateway, const char *proto);

/* Supervisor thread. Chooses the transport for one of `contacts` (their text, comma or space
 * separated) by the transports' priority among those enabled and LISTENING. On ERR_OK `*chosen` and
 * `*contact` are set. Otherwise `error` is a sentence: ERR_INVALID names the invalid contact,
 * ERR_DISABLED what is switched off (sending, or each transport that has a contact), ERR_NOT_FOUND
 * ('no transport in common') lists both sides' transports. */
enum err gateway_choose(struct gateway *gateway, const char *contacts,
                        struct gateway_transport **chosen, struct contact *contact,
                        char error[REASON_SIZE]);

/* The built-in gateway: accepts every file with the id proposed by the transport, completes every
 * call at once, and reports the transports' state as events. */
struct gateway_builtin;
enum err gateway_builtin_open(struct gateway_builtin **out, struct event_sink *events);
void gateway_builtin_close(struct gateway_builtin **builtin);
extern const struct gateway_ops gateway_builtin_ops;

#endif
