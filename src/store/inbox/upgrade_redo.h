/* The redo log that release 0.1 leaves in .dustwire. To be removed with release 0.3. */
#ifndef STORE_INBOX_UPGRADE_REDO_H
#define STORE_INBOX_UPGRADE_REDO_H

#include "base/err.h"
#include "store/name.h"

struct inbox;

/* Writes its files into the inbox, synced, and removes the log. On an error nothing is lost;
 * `blocked` as of inbox_upgrade. */
enum err inbox_upgrade_redo(struct inbox *inbox, char blocked[STORE_NAME_SIZE]);

#endif
