/* Upgrade of what release 0.1 leaves in .dustwire beside the journal: journal parts, a redo log. To
 * be removed with release 0.3. */
#ifndef STORE_INBOX_UPGRADE_H
#define STORE_INBOX_UPGRADE_H

#include "base/err.h"
#include "store/name.h"

struct inbox;

/* At open, after reading the journal and before recovery. Brings everything into the journal and
 * the inbox, synced, and removes the old files. On an error nothing is lost; `blocked` names the
 * file that could not be written, or is "". */
enum err inbox_upgrade(struct inbox *inbox, char blocked[STORE_NAME_SIZE]);

#endif
