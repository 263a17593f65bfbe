/* Random bytes for names, seeds and initial ids: hard to guess, but not for secrets. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>

/* Any thread. Never fails and never blocks: if getrandom(2) is denied (seccomp) or not ready, the
 * bytes are derived from AT_RANDOM and the clock. */
void random_fill(void *to, size_t length);

#endif
