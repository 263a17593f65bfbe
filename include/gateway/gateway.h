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
    bool is_listening; /* its network_transport is LISTENING */
    bool is_sending_enabled, is_receiving_enabled;
    unsigned priority;
    char state[24];               /* of its network_transport, for people */
    char off_reason[REASON_SIZE]; /* not is_enabled: what is off and how it is switched on */
};

/* At start, before other threads. The built-in gateway is behind it until another is set. */
enum err gateway_open(struct gateway **out, struct event_sink *events);
void gateway_close(struct gateway **gateway);
/* At start: `row` stays the caller's, and where it is. ERR_EXISTS: there is one of that name.
 * ERR_FULL: GATEWAY_TRANSPORTS_MAX are there. */
enum err gateway_add(struct gateway *gateway, const struct transport_row *row);

/* At start, or later from the supervisor's thread: another gateway than the built-in one, the same
 * at every call. `self` stays the caller's, goes to every call and must outlive every thread. From
 * now on it hears of what begins; what the built-in one registered ends there. */
void gateway_set(struct gateway *gateway, const struct gateway_ops *ops, void *self);

/* Any thread. The gateway for new transfers. */
struct gateway_binding {
    const struct gateway_ops *ops;
    void *self;
};
const struct gateway_binding *gateway_current(struct gateway *gateway);

/* Any thread. The calls of gateway_ops for a transfer: registered with the gateway of now (a send:
 * with that of the time when it was asked for), ended with the one that registered it. */
enum err gateway_register(struct gateway *gateway, struct gateway_transfer *transfer);
/* When a registration that was ERR_PENDING is back: what came of it is the transfer's from now on.
 */
void gateway_registered(struct gateway_transfer *transfer);
enum err gateway_receiving_ended(struct gateway *gateway, struct gateway_transfer *transfer);
void gateway_sending_ended(struct gateway *gateway, struct gateway_transfer *transfer);
/* What a transfer takes from the request that asked for it; the strings stay the request's. */
void gateway_describe_send(struct gateway_transfer *transfer, const struct send_request *send);
bool gateway_is_full(struct gateway *gateway);
/* The id by which a remote gateway knows the transfer; 0: none does. */
uint32_t gateway_remote_id(const struct gateway_transfer *transfer);

/* Supervisor thread. */
unsigned gateway_count(const struct gateway *gateway);
struct gateway_transport *gateway_transport_at(struct gateway *gateway, unsigned index);
struct gateway_transport *gateway_find(struct gateway *gateway, const char *proto);

/* Supervisor thread. Chooses the transport for one of `contacts` (their text, comma or space
 * separated) by the transports' priority among those enabled and LISTENING. On ERR_OK `*chosen` and
 * `*contact` are set. Otherwise `error` is a sentence: ERR_INVALID names the contact that is none,
 * ERR_DISABLED says what is switched off (sending, or each transport that has a contact),
 * ERR_NOT_FOUND
 * ('no transport in common') lists both sides' transports. */
enum err gateway_choose(struct gateway *gateway, const char *contacts,
                        struct gateway_transport **chosen, struct contact *contact,
                        char error[REASON_SIZE]);

/* The built-in gateway: every file's id is the one the transport proposed, every call is answered
 * at once, and everything is told as events. */
struct gateway_builtin;
enum err gateway_builtin_open(struct gateway_builtin **out, struct event_sink *events);
void gateway_builtin_close(struct gateway_builtin **builtin);
extern const struct gateway_ops gateway_builtin_ops;

#endif
