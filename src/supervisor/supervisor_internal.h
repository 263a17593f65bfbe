/* The turns of the supervisor's thread that its tests take in its place. */
#ifndef SUPERVISOR_SUPERVISOR_INTERNAL_H
#define SUPERVISOR_SUPERVISOR_INTERNAL_H

#include "supervisor/supervisor.h"

/* What the thread does before its first turn and after its last. */
void supervisor_begin(struct supervisor *s);
void supervisor_end(struct supervisor *s);

#endif
