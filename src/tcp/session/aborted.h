/* Incoming files that were aborted: their ids until the sender confirms, and their rate. */
#ifndef TCP_SESSION_ABORTED_H
#define TCP_SESSION_ABORTED_H

#include "tcp/session/core.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SESSION_ABORTED_MAX = 40, /* files whose sender has not confirmed our abort */
};

/* Allocated with the first abort; most sessions have none. */
struct session_aborted {
    uint64_t last_ms; /* when the last one was added */
    unsigned count;
    int32_t ids[SESSION_ABORTED_MAX];
};

/* True if the file was aborted by us, and its sender has not confirmed it: its data is discarded.
 */
bool session_aborted_has(const struct session *c, int32_t file_id);
/* Disconnects the session at SESSION_ABORTED_MAX, or without memory. */
void session_aborted_add(struct session *c, int32_t file_id);
/* An unknown id is a no-op. */
void session_aborted_remove(struct session *c, int32_t file_id);
bool session_aborted_is_any(const struct session *c);
/* True if some are unconfirmed, and the last was aborted long enough ago for an answer. */
bool session_aborted_is_old(const struct session *c);

/* Counts an aborted file, and disconnects a session with too many: bounds the work that a peer can
 * cause with files that it begins only to abort. */
void session_aborted_count(struct session *c);

#endif
