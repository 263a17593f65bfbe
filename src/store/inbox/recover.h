/* What a run left half done, and files that could not be taken out of the inbox. */
#ifndef STORE_INBOX_RECOVER_H
#define STORE_INBOX_RECOVER_H

#include "base/err.h"

#include <stdint.h>

struct inbox;

/* Clears what the last run left half done, and counts it. */
enum err inbox_recover(struct inbox *inbox);

/* The journal's owner: they are removed by inbox_recover_remove_remains, else by the next start. */
void inbox_recover_add_remains(struct inbox *inbox, uint32_t transfer_id, const char *name);
void inbox_recover_remove_remains(struct inbox *inbox);

#endif
