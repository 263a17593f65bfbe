/* Incoming files that were aborted. */
#ifndef TCP_SESSION_ABORTED_H
#define TCP_SESSION_ABORTED_H

#include "tcp/session/session.h"

#include <stdbool.h>
#include <stdint.h>

/* The file with this id was given up, and its sender has not said that he knows. */
bool tcp_dropped_has(const struct tcp_connection *c, int32_t file_id);
/* One too many ends the session. */
void tcp_dropped_add(struct tcp_connection *c, int32_t file_id);
/* An unknown id is a no-op. */
void tcp_dropped_remove(struct tcp_connection *c, int32_t file_id);
bool tcp_dropped_is_any(const struct tcp_connection *c);
/* There are some, and their senders have had their time to answer. */
bool tcp_dropped_is_old(const struct tcp_connection *c);

/* One more file was aborted. Bounds what a peer can make us do with files that it begins only
 * to abort, however long we take for each. */
void tcp_dropped_count(struct tcp_connection *c);

#endif
