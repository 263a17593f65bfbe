/* The redo log that release 0.1 leaves in .dustwire. To be removed with release 0.3. */
#ifndef STORE_INBOX_UPGRADE_REDO_H
#define STORE_INBOX_UPGRADE_REDO_H

#include "base/err.h"
#include "store/name.h"

struct inbox;

/* Writes its files to the inbox, syncs them, and removes the log. On an error the log is kept;
 * `blocked` as in inbox_upgrade. */
enum err inbox_upgrade_redo(struct inbox *inbox, char blocked[STORE_NAME_SIZE]);

#endif
