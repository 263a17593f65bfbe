/* Configuration of control_open. */
#ifndef CONTROL_CONFIG_H
#define CONTROL_CONFIG_H

#include "engine/automat.h"
#include "gateway/event.h"
#include "gateway/gateway.h"
#include "settings/settings.h"
#include "store/commit/committer.h"
#include "store/inbox/inbox.h"
#include "supervisor/supervisor.h"

#include <stddef.h>

struct control_config {
    struct settings settings;
    struct supervisor *supervisor;
    struct gateway *gateway; /* `init` binds `gateway_client` */
    struct gateway_client *gateway_client;
    const struct transport_table *transports; /* lists, cancels and connects go to them directly */
    struct event_sink *events;                /* the control thread becomes its consumer */
    struct inbox *inbox;
    struct committer *committer;
    const char *privileges; /* remaining privileges of the process, for `status`; not copied */
    const struct automat_kind *const *automata;
    size_t automat_count;
};

#endif
