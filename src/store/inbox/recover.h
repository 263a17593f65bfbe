/* Cleanup after an interrupted run, and deferred removal of failed files from the inbox. */
#ifndef STORE_INBOX_RECOVER_H
#define STORE_INBOX_RECOVER_H

#include "base/err.h"

#include <stdint.h>

struct inbox;

/* Cleans up what the previous run left, and counts it. */
enum err inbox_recover(struct inbox *inbox);

/* Journal's owner. Defers removal of a failed file to inbox_recover_retry_removals, or to the next
 * start. */
void inbox_recover_defer_removal(struct inbox *inbox, uint32_t transfer_id, const char *name);
void inbox_recover_retry_removals(struct inbox *inbox);

#endif
