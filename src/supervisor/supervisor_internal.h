/* Thread hooks that the tests call instead of running the supervisor's thread. */
#ifndef SUPERVISOR_SUPERVISOR_INTERNAL_H
#define SUPERVISOR_SUPERVISOR_INTERNAL_H

#include "supervisor/supervisor.h"

/* Called in the thread before its first turn and after its last. */
void supervisor_begin(struct supervisor *s);
void supervisor_end(struct supervisor *s);

#endif
