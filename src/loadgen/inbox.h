/* Keeps the disk from filling during a long run: a thread that removes completely received files
 * from the inbox, as a gateway does after processing them. Removes only files with the daemon's
 * names for received files, not in subfolders. */
#ifndef LOADGEN_INBOX_H
#define LOADGEN_INBOX_H

#include "base/err.h"

struct loadgen_inbox;

enum err loadgen_inbox_start(struct loadgen_inbox **out, const char *folder);
/* Removes the remaining files and stops the thread. NULL is a no-op. */
void loadgen_inbox_stop(struct loadgen_inbox **inbox);

#endif
