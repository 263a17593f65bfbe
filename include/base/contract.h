/* Assertions that are active in every build: a failed one is a bug in dustwire and aborts the
 * process. Errors of peers, networks and disks are returned as an `enum err` instead. */
#ifndef BASE_CONTRACT_H
#define BASE_CONTRACT_H

#include <stdint.h>

#define CONTRACT(condition) \
    ((condition) ? (void)0 : contract_violated(#condition, __FILE__, __LINE__))

/* Logs the failed assertion and aborts. */
_Noreturn void contract_violated(const char *condition, const char *file, int line);

/* Objects passed through a `void *` start with a magic number, checked where it is cast back. */
#define MAGIC_CHECK(object, expected) CONTRACT((object) != NULL && (object)->magic == (expected))

#endif
