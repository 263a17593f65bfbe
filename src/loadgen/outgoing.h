/* The files in flight of one session: started, written, answered. Sends them in order, as many in
 * one system call as the socket accepts. Owned by the session's thread. */
#ifndef LOADGEN_OUTGOING_H
#define LOADGEN_OUTGOING_H

#include "loadgen/payload.h"

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct loadgen_outgoing;

/* NULL: no memory. `payload` must outlive it. */
struct loadgen_outgoing *loadgen_outgoing_new(const struct loadgen_payload *payload,
                                              unsigned window);
void loadgen_outgoing_free(struct loadgen_outgoing **outgoing);

bool loadgen_outgoing_has_room(const struct loadgen_outgoing *o);
/* Requires loadgen_outgoing_has_room(). The file's latency is measured from `since_ns`. */
void loadgen_outgoing_start(struct loadgen_outgoing *o, uint64_t since_ns);

bool loadgen_outgoing_is_waiting(const struct loadgen_outgoing *o); /* unsent bytes are queued */

/* Writes up to `most_bytes` of the started files; sets `*written`. ERR_AGAIN: the socket is
 * full. */
enum err loadgen_outgoing_write(struct loadgen_outgoing *o, int fd, uint64_t most_bytes,
                                uint64_t *written);

/* Handles an ok or abort. False if no completely written file has this id. */
bool loadgen_outgoing_answered(struct loadgen_outgoing *o, int32_t file_id, uint64_t *since_ns);

unsigned loadgen_outgoing_count(const struct loadgen_outgoing *o);

#endif
