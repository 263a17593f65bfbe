/* Our own contract, asserted in every build: a broken one is a bug of ours, and the process must
 * not go on with it. Peers, networks and disks that misbehave are answered with an `enum err`
 * instead. */
#ifndef BASE_CONTRACT_H
#define BASE_CONTRACT_H

#include <stdint.h>

#define CONTRACT(is_kept) \
    ((is_kept) ? (void)0 : contract_broken(#is_kept, __FILE__, __LINE__, __func__))

/* Prints where and aborts. */
_Noreturn void contract_broken(const char *what, const char *file, int line, const char *function);

/* What travels through a `void *` starts with a magic number, checked where it is cast back. */
#define MAGIC_CHECK(object, expected) CONTRACT((object) != NULL && (object)->magic == (expected))

#endif
