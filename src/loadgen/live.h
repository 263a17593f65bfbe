/* The live line on stderr: what was done so far and how fast it goes. Main thread. */
#ifndef LOADGEN_LIVE_H
#define LOADGEN_LIVE_H

#include "loadgen/thread.h"

/* Writes the line anew, at most once a second. */
void loadgen_live_show(const char *title, struct loadgen_thread *threads, unsigned count,
                       uint64_t since_ns);
/* Removes it, if it was shown. */
void loadgen_live_clear(void);

#endif
