/* The files that one session has under way: started, written, answered. Sends them one after the
 * other, as many as the socket takes with one system call. Its thread's own. */
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
/* Room is needed. The latency of the file counts from `since_ns`. */
void loadgen_outgoing_start(struct loadgen_outgoing *o, uint64_t since_ns);

bool loadgen_outgoing_is_waiting(const struct loadgen_outgoing *o); /* something is left to write */

/* Writes up to `most_bytes` of what is started; `*written` says how many. ERR_AGAIN: the socket
 * takes no more. */
enum err loadgen_outgoing_write(struct loadgen_outgoing *o, int fd, uint64_t most_bytes,
                                uint64_t *written);

/* An ok or abort came. False if no file that is wholly written has this id. */
bool loadgen_outgoing_answered(struct loadgen_outgoing *o, int32_t file_id, uint64_t *since_ns);

unsigned loadgen_outgoing_count(const struct loadgen_outgoing *o);

#endif
