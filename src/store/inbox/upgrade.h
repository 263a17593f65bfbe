/* What a daemon of release 0.1 leaves in .dustwire beside the journal: parts of the journal, a
 * second folder of partial files, a redo log. To be removed with release 0.3. */
#ifndef STORE_INBOX_UPGRADE_H
#define STORE_INBOX_UPGRADE_H

#include "base/err.h"
#include "store/name.h"

struct inbox;

/* At open, when the journal is read and before anything is judged by it. All of it is in the
 * journal and the inbox then, on the disk, and the old files are gone. On an error nothing of it is
 * lost; `blocked` names the file that could not be written, or is "". */
enum err inbox_upgrade(struct inbox *inbox, char blocked[STORE_NAME_SIZE]);

#endif
