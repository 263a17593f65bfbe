/* The files that one session has under way: started, written, answered. Sends them one after the
 * other, as many as the socket takes with one system call. Its thread's own. */
#ifndef LOADGEN_OUTGOING_H
#define LOADGEN_OUTGOING_H

#include "loadgen/payload.h"

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct load_outgoing;

/* NULL: no memory. `payload` must outlive it. */
struct load_outgoing *load_outgoing_new(const struct load_payload *payload, unsigned window);
void load_outgoing_free(struct load_outgoing **outgoing);

bool load_outgoing_has_room(const struct load_outgoing *o);
/* Room is needed. The latency of the file counts from `since_ns`. */
void load_outgoing_start(struct load_outgoing *o, uint64_t since_ns);

bool load_outgoing_is_waiting(const struct load_outgoing *o); /* something is left to write */

/* Writes up to `most_bytes` of what is started; `*written` says how many. ERR_AGAIN: the socket
 * takes no more. */
enum err load_outgoing_write(struct load_outgoing *o, int fd, uint64_t most_bytes,
                             uint64_t *written);

/* An ok or abort came. False if no file that is wholly written has this id. */
bool load_outgoing_answered(struct load_outgoing *o, int32_t file_id, uint64_t *since_ns);

unsigned load_outgoing_count(const struct load_outgoing *o);

#endif
