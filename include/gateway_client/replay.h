/* Reports acknowledged by the previous run but not delivered to the gateway: delivered at start,
 * and marked in the journal once the gateway has received them. Main thread. */
#ifndef GATEWAY_CLIENT_REPLAY_H
#define GATEWAY_CLIENT_REPLAY_H

#include "gateway/gateway.h"
#include "store/commit/committer.h"
#include "store/inbox/inbox.h"

struct gateway_client_replay {
    struct inbox *inbox;
    struct committer *committer;
    struct event_sink *events;
    struct gateway *gateway;
    struct gateway_binding remote; /* the remote gateway, active or not */
    struct mailbox *answer_to;     /* main's mailbox; receives the remote gateway's answers */
};

/* Call before the committer runs: reads the journal, which the committer owns afterwards. Reports
 * registered with a remote gateway wait until one is available; all others belong to the built-in
 * gateway. */
void gateway_client_replay_report(const struct gateway_client_replay *replay);

#endif
