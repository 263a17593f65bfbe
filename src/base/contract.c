#include "base/contract.h"

#include "base/log.h"

#include <stdlib.h>

void contract_broken(const char *what, const char *file, int line, const char *function)
{
    log_error("a bug in dustwire: contract broken in %s (%s:%d): %s", function, file, line, what);
    abort();
}
