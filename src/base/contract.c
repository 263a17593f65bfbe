#include "base/contract.h"

#include "base/log.h"

#include <stdlib.h>

void contract_violated(const char *condition, const char *file, int line)
{
    log_error("assertion failed: %s at %s:%d; please report", condition, file, line);
    abort();
}
