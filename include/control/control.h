/* The thread behind the control socket: an HTTP server on a Unix socket that answers XML-RPC,
 * numbers and keeps the events, and remembers the sends that people wait for. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "base/err.h"
#include "control/config.h"

#include <stddef.h>

struct control;

/* Opens the socket (a dead one of an earlier run is replaced, a live one is ERR_BUSY).
 * `problem` gets a sentence. */
enum err control_open(struct control **out, const struct control_config *config, char *problem,
                      size_t problem_room);
enum err control_start(struct control *control);
/* Any thread, between start and close: it looks at once whether its socket's file is still there
 * (by itself it does so every few seconds), and makes it again. */
void control_look(struct control *control);
/* Whoever waits is answered, and the socket's file is removed. */
void control_stop(struct control *control);
/* After every thread that was asked for something has ended, and after supervisor_close, through
 * which the answers of the transports come: each request is back or in the mailbox by then
 * (asserted). */
void control_close(struct control **control);

#endif
