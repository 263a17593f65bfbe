/* The progress line on stderr: totals and current rates. Main thread. */
#ifndef LOADGEN_LIVE_H
#define LOADGEN_LIVE_H

#include "loadgen/thread.h"

/* Rewrites the line, at most once per second. */
void loadgen_live_show(const char *title, struct loadgen_thread *threads, unsigned count,
                       uint64_t since_ns);
/* Clears the line if it was shown. */
void loadgen_live_clear(void);

#endif
