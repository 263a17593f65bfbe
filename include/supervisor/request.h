/* The requests that other threads post to the supervisor; each is returned with its result. */
#ifndef SUPERVISOR_REQUEST_H
#define SUPERVISOR_REQUEST_H

#include "base/err.h"
#include "gateway/gateway.h"
#include "loop/mailbox.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stdint.h>

enum supervisor_request_type {
    SUPERVISOR_STATUS,
    SUPERVISOR_SERVICES,
    SUPERVISOR_RELOAD, /* reads the settings file again */
    SUPERVISOR_STOP,   /* SIGTERM, `dustwire stop`: transfers finish, then on_stopped; returns
                          `in_force` */
    SUPERVISOR_RECONNECT,
    SUPERVISOR_CHECK_RECONNECT,
    SUPERVISOR_SETTINGS, /* those in force with their origins */
    SUPERVISOR_SET,      /* sets a runtime setting */
    SUPERVISOR_UNSET,    /* reverts that */
    SUPERVISOR_BUILD_CONTACTS,
    SUPERVISOR_VERIFY_CONTACTS,
    /* Posted for a remote gateway: */
    SUPERVISOR_GATEWAY_INIT, /* binds a new instance of it */
    SUPERVISOR_CONNECT,
    SUPERVISOR_DISCONNECT, /* and `shutdown` */
};

enum { SERVICES_MAX = 8, RELOAD_TEXT_SIZE = 16384 };

/* A service of the node: on if it is enabled and every service it needs is on. */
struct service_info {
    char name[32];            /* "tcp_transport" */
    char state[16];           /* "ON", "OFF", "STARTING", ... */
    char reason[REASON_SIZE]; /* why it is not ON */
    char needs[128];          /* "tcp_connections, gateway" */
    bool is_enabled;          /* by its setting */
};

struct transport_info {
    char proto[16];
    char state[24]; /* network_transport's */
    bool is_enabled, is_sending_enabled, is_receiving_enabled;
    char host[REASON_SIZE]; /* the bound address, "" if none */
    char last_error[REASON_SIZE];
    unsigned priority;
    struct transport_counts counts;
};

struct supervisor_request {
    struct request request;
    enum supervisor_request_type type;
    void *cookie;
    /* STATUS */
    char network_state[24]; /* network_connector's */
    unsigned disconnects;
    bool is_stopping;
    uint64_t up_us; /* uptime, independent of clock changes */
    unsigned transport_count;
    struct transport_info transports[GATEWAY_TRANSPORTS_MAX];
    char advice[REASON_SIZE]; /* for the operator: what is wrong and what to do; "" if healthy */
    /* STATUS, RELOAD, SETTINGS, SET, UNSET: the settings in force */
    struct settings_in_force in_force;
    /* SERVICES */
    unsigned service_count;
    struct service_info services[SERVICES_MAX];
    /* RELOAD: ERR_OK: `text` lists what changed and what needs a restart. ERR_INVALID: nothing
     * changed, `text` lists the problems. A change that restarts the transports is answered when
     * they are up again; ERR_UNREACHABLE: it is in force, but they failed to come up, and `text`
     * begins with the reason. One line per item. */
    char text[RELOAD_TEXT_SIZE];
    struct message_list merged; /* the supervisor's: RELOADs that are answered with this one */
    unsigned merged_count;
    /* SET, UNSET (only the name): both malloc, owned by the sender. Results as for RELOAD;
     * ERR_NOT_FOUND: unknown setting; any other: the file could not be written. */
    char *name, *value;
    /* BUILD_CONTACTS: the result. VERIFY_CONTACTS: `wanted`, comma separated (malloc, owned by the
     * sender); `is_verified` if one of them is this node's and the bound address matches the
     * settings. */
    unsigned contact_count;
    char contacts[GATEWAY_TRANSPORTS_MAX][CONTACT_TEXT_SIZE];
    char *wanted;
    bool is_verified;
    /* CONNECT: the options, malloc, owned by the sender; NULL or "": not given. ERR_INVALID,
     * ERR_DISABLED: nothing was done, `text` is the reason. */
    char *idurl, *host, *tcp_port;
    /* GATEWAY_INIT: binds the gateway; `url` is malloc, owned by the sender. */
    enum err (*switch_gateway)(const struct supervisor_request *r);
    char *url;
    bool has_file_result;
};

/* A send to contacts given as text. On ERR_OK the request is answered exactly once, with status,
 * error and result set: the supervisor selects the transport and forwards the send, or answers why
 * none can take it. */
struct contacts_request {
    struct send_request send; /* first member: returned to the sender */
    char *contacts;           /* malloc; owned by the sender */
};

#endif
