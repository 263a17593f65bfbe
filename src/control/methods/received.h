/* The thread that reads received files from the journal. It is stopped after the control thread, so
 * no new queries arrive; its last answers stay in the control mailbox until control_close. */
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
