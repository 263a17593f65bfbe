/* The table of transports: created by the daemon before any thread runs, then immutable. Any
 * thread.
 */
#ifndef GATEWAY_TRANSPORT_TABLE_H
#define GATEWAY_TRANSPORT_TABLE_H

#include "gateway/transport_ops.h"
#include "settings/settings.h"

#include <stdbool.h>

enum { GATEWAY_TRANSPORTS_MAX = 4, SERVICE_NEEDS_MAX = 2 };

/* A service of the node: on if it is enabled and all services that it needs are on. */
struct service {
    const char *name;    /* "tcp_transport" */
    const char *section; /* settings section that enables it: "services/tcp-transport" */
    bool (*is_enabled)(const struct settings *s);
    const struct service *needs[SERVICE_NEEDS_MAX]; /* NULL: end of the list */
};

/* The gateway service, which every transport needs. */
extern const struct service gateway_service;

/* Settings of a transport apart from its service. */
struct transport_preferences {
    unsigned priority; /* 1 is the highest */
    bool is_sending_enabled, is_receiving_enabled;
};

struct transport_row {
    const struct transport_ops *ops;
    void *self;                    /* first argument of the ops; outlives every thread */
    const struct service *service; /* the transport runs only while this is on */
    struct transport_preferences (*preferences)(const struct settings *s);
};

struct transport_table {
    const struct transport_row *rows;
    unsigned count;
};

/* NULL: unknown transport. */
const struct transport_row *transport_table_find(const struct transport_table *table,
                                                 const char *proto);

#endif
