/* Random bytes for names, seeds and first numbers: what nobody should guess, and nothing that is a
 * secret. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>

/* Any thread. Never fails and never waits: where getrandom(2) is refused (a system call filter) or
 * has nothing yet, the bytes come from what the kernel gave this process at its start, and the
 * clock. */
void random_fill(void *to, size_t length);

#endif
