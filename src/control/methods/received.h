/* The thread that reads what was received. Opened, started, stopped and closed by who does so with
 * the control; it is stopped after the control's thread, so that nobody asks any more, and what it
 * still answers waits in the control's mailbox. */
#ifndef CONTROL_METHODS_RECEIVED_H
#define CONTROL_METHODS_RECEIVED_H

#include "base/err.h"
#include "store/inbox/inbox.h"

struct method_received_reader;
enum err method_received_reader_open(struct method_received_reader **out, struct inbox *inbox);
void method_received_reader_close(struct method_received_reader **reader);
enum err method_received_reader_start(struct method_received_reader *reader);
void method_received_reader_stop(struct method_received_reader *reader);

#endif
