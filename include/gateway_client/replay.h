/* What the last run acknowledged and did not get to report: told at the start, and marked in the
 * journal when the gateway has it. Main thread. */
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
    struct gateway_binding remote; /* the remote gateway, in charge or not */
    struct mailbox *answer_to;     /* main's: a remote gateway answers when it can */
};

/* Before the committer runs: what is owed is read from what it will own. What a remote gateway has
 * registered waits for one, for as long as it takes; the rest was the built-in one's. */
void gateway_client_replay_report(const struct gateway_client_replay *owed);

#endif
