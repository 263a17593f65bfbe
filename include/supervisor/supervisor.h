/* The thread that runs network_connector and the network_transport automata, their timers, the
 * network watch and the services. Others ask it by requests. */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "base/err.h"
#include "engine/automat.h"
#include "gateway/gateway.h"
#include "loop/mailbox.h"
#include "settings/settings.h"

#include <stdbool.h>
#include <stdint.h>

struct supervisor;

/* What a service manager wants to know. `text` is a sentence for people. */
enum supervisor_news {
    SUPERVISOR_NEWS_SETTLED,   /* connected, or for now not: the first one ends the start */
    SUPERVISOR_NEWS_RELOADING, /* the settings are being read again ... */
    SUPERVISOR_NEWS_RELOADED,  /* ... and have been taken in, or not */
    SUPERVISOR_NEWS_STOPPING,
};
typedef void supervisor_news_fn(void *ctx, enum supervisor_news news, const char *text);

struct supervisor_config {
    struct settings_paths paths; /* read again by a reload; file NULL: a reload says so. The texts
                                  * stay the caller's and where they are. */
    struct settings_in_force in_force;
    struct gateway
        *gateway; /* its transports are registered; the supervisor's from start to stop */
    struct event_sink *events;
    /* Posted (by mailbox_answer) when a stop is complete: every transport is CLOSED. */
    struct mailbox *stopped_to;
    struct message *stopped;
    message_fn *on_stopped;
    supervisor_news_fn *news; /* called in the supervisor's thread; may be NULL */
    void *news_ctx;
};

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

/* Any thread. ERR_FULL, ERR_CLOSED: the request stays the caller's. A STOP is never refused. */
enum err supervisor_post(struct supervisor *supervisor, struct supervisor_request *r);

/* A send by contacts, as text. On ERR_OK the request comes back exactly once, with status, error
 * and result set: the supervisor chooses the transport and hands it on, or answers why there is
 * none. */
struct contacts_request {
    struct send_request send; /* first: this is what comes back */
    char *contacts;           /* malloc; the asker's */
};

/* Any thread. ERR_FULL, ERR_CLOSED: the request stays the caller's. (connect_to, lists and the like
 * need no choice: they go straight to a transport, which takes them from any thread.) */
enum err supervisor_send(struct supervisor *supervisor, struct contacts_request *r);

/* Any thread. For what must not overtake a send, like its cancel: `r` is answered after the sends
 * posted before it were handed to their transports. ERR_FULL, ERR_CLOSED: it stays the caller's. */
enum err supervisor_ask_behind_sends(struct supervisor *supervisor, struct request *r);

/* Any thread, never waits: an outgoing connect succeeded (`connection-done`). Many at once are told
 * as one. Not after supervisor_close. */
void supervisor_tell_connection_done(struct supervisor *supervisor);

/* The three tables, for `dustwire automata`. */
extern const struct automat_kind network_transport_kind;
extern const struct automat_kind network_connector_kind;

#endif
