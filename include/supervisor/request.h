/* What others ask of the supervisor's thread: the requests that go to it and come back answered. */
#ifndef SUPERVISOR_REQUEST_H
#define SUPERVISOR_REQUEST_H

#include "base/err.h"
#include "gateway/gateway.h"
#include "loop/mailbox.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stdint.h>

enum supervisor_ask {
    SUPERVISOR_STATUS,
    SUPERVISOR_SERVICES,
    SUPERVISOR_RELOAD, /* read the settings file again */
    SUPERVISOR_STOP,   /* SIGTERM, `dustwire stop`: files under way finish, then on_stopped; answers
                          `in_force` */
    SUPERVISOR_RECONNECT,
    SUPERVISOR_CHECK_RECONNECT,
    SUPERVISOR_SETTINGS, /* those in force and where they come from */
    SUPERVISOR_SET,      /* one of the settings that can be set while the daemon runs */
    SUPERVISOR_UNSET,    /* takes that back */
    SUPERVISOR_BUILD_CONTACTS,
    SUPERVISOR_VERIFY_CONTACTS,
    /* The gateway's own: */
    SUPERVISOR_GATEWAY_INIT, /* a new instance of a remote one is bound */
    SUPERVISOR_CONNECT,
    SUPERVISOR_DISCONNECT, /* and `shutdown` */
};

enum { SERVICES_MAX = 8, RELOAD_TEXT_SIZE = 16384 };

/* A service of the node: on if switched on and everything it needs is on. */
struct service_info {
    char name[32];            /* "tcp_transport" */
    char state[16];           /* "ON", "OFF", "STARTING", ... */
    char reason[REASON_SIZE]; /* why it is not ON: a sentence */
    char needs[128];          /* "tcp_connections, gateway" */
    bool is_enabled;          /* by its setting */
};

struct transport_info {
    char proto[16];
    char state[24]; /* network_transport's */
    bool is_enabled, is_sending_enabled, is_receiving_enabled;
    char host[REASON_SIZE]; /* what is bound, "" if nothing */
    char last_error[REASON_SIZE];
    unsigned priority;
    struct transport_counts counts;
};

struct supervisor_request {
    struct request request;
    enum supervisor_ask ask;
    void *cookie;
    /* STATUS */
    char network_state[24]; /* network_connector's */
    unsigned disconnects;
    bool is_stopping;
    uint64_t up_us; /* since the start, whatever happened to the clock */
    unsigned transport_count;
    struct transport_info transports[GATEWAY_TRANSPORTS_MAX];
    char advice[REASON_SIZE]; /* what an operator should know or do now, "" if all is well */
    /* STATUS, RELOAD, SETTINGS, SET, UNSET: the settings in force */
    struct settings_in_force in_force;
    /* SERVICES */
    unsigned service_count;
    struct service_info services[SERVICES_MAX];
    /* RELOAD: result ERR_INVALID: nothing changed, `text` holds the problems, a line each. ERR_OK:
     * `text` says what changed and what needs a restart. What takes the transports down and up is
     * answered when they are up again; ERR_UNREACHABLE: it is in force, and they are not, `text`
     * begins with the reason. */
    char text[RELOAD_TEXT_SIZE];
    /* SET, UNSET (the name alone): both malloc, the asker's. The results as of RELOAD;
     * ERR_NOT_FOUND there is no such setting; any other: it could not be written. */
    char *name, *value;
    /* BUILD_CONTACTS: the answer. VERIFY_CONTACTS: `wanted`, comma separated (malloc, the
     * asker's), and true if one of them is ours and what is bound is what the settings ask for. */
    unsigned contact_count;
    char contacts[GATEWAY_TRANSPORTS_MAX][CONTACT_TEXT_SIZE];
    char *wanted;
    bool is_verified;
    /* CONNECT: the options, malloc, the asker's; NULL or "": not given. ERR_INVALID, ERR_DISABLED:
     * nothing was done, `text` says why. */
    char *idurl, *host, *tcp_port;
    /* GATEWAY_INIT: binds the gateway; `url` is malloc, the asker's. */
    enum err (*take_over)(const struct supervisor_request *r);
    char *url;
    bool has_file_result;
};

/* A send by contacts, as text. On ERR_OK the request comes back exactly once, with status, error
 * and result set: the supervisor chooses the transport and hands it on, or answers why there is
 * none. */
struct contacts_request {
    struct send_request send; /* first: this is what comes back */
    char *contacts;           /* malloc; the asker's */
};

#endif
