/* The control thread: an XML-RPC server over HTTP on a Unix socket (and a TCP address), which also
 * numbers and keeps events and tracks the sends that clients wait for. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "base/err.h"
#include "control/config.h"

#include <stddef.h>

struct control;

/* Opens the socket. A stale one of an earlier run is replaced; ERR_BUSY: another process listens on
 * it. On failure `problem` is a sentence, and nothing is left open. */
enum err control_open(struct control **out, const struct control_config *config, char *problem,
                      size_t problem_room);
enum err control_start(struct control *control);
/* Any thread, between start and close: recreates the socket's file if it was removed, without
 * waiting for the periodic check. */
void control_check_socket(struct control *control);
/* Answers all waiting calls, closes HTTP, removes the socket's file and joins the thread. */
void control_stop(struct control *control);
/* After every thread that serves requests of control has ended, and after supervisor_close: all
 * outstanding requests must have been answered, at least into the mailbox (asserted). */
void control_close(struct control **control);

#endif
