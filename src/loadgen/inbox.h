/* Keeps a disk from filling during a long run: a thread that removes the files that the daemon has
 * finished, as a gateway would that has taken them. Removes only what the daemon itself names so,
 * directly in the folder. */
#ifndef LOADGEN_INBOX_H
#define LOADGEN_INBOX_H

#include "base/err.h"

struct loadgen_inbox;

enum err loadgen_inbox_start(struct loadgen_inbox **out, const char *folder);
/* Once more removes what is there, and ends. At ease with NULL. */
void loadgen_inbox_stop(struct loadgen_inbox **inbox);

#endif
