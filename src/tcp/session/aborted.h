/* Incoming files that were aborted. */
#ifndef TCP_SESSION_ABORTED_H
#define TCP_SESSION_ABORTED_H

#include "tcp/session/core.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    SESSION_ABORTED_MAX = 40, /* ids of files given up whose sender may go on */
};

/* Most sessions never have one. */
struct session_aborted {
    uint64_t last_ms; /* when the last one was added */
    unsigned count;
    int32_t ids[SESSION_ABORTED_MAX];
};

/* The file with this id was given up, and its sender has not said that he knows. */
bool session_aborted_has(const struct session *c, int32_t file_id);
/* One too many ends the session. */
void session_aborted_add(struct session *c, int32_t file_id);
/* An unknown id is a no-op. */
void session_aborted_remove(struct session *c, int32_t file_id);
bool session_aborted_is_any(const struct session *c);
/* There are some, and their senders have had their time to answer. */
bool session_aborted_is_old(const struct session *c);

/* One more file was aborted. Bounds what a peer can make us do with files that it begins only
 * to abort, however long we take for each. */
void session_aborted_count(struct session *c);

#endif
