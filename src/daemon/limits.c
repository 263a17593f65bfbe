#include "daemon/limits.h"

#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

void limits_raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warning("cannot raise the open file limit: %s", strerror(errno));
}

static uint64_t limit_of(unsigned resource)
{
    struct rlimit limit;

    return getrlimit(resource, &limit) == 0 ? limit.rlim_cur : RLIM_INFINITY;
}

void limits_log(const struct settings *s)
{
    uint64_t files = limit_of(RLIMIT_NOFILE), bytes = limit_of(RLIMIT_FSIZE);

    if (files < s->sessions.limit)
        log_warning("open file limit (ulimit -n) is %" PRIu64
                    ", below [sessions] limit = %u: fewer "
                    "sessions are possible",
                    files, s->sessions.limit);
    if (bytes != RLIM_INFINITY)
        log_warning("file size limit (ulimit -f) is %" PRIu64
                    " bytes: larger files cannot be received",
                    bytes);
}

enum err limits_check_spare_descriptors(void)
{
    enum { SPARE = 32 };
    int spare[SPARE];
    unsigned count = 0;

    while (count < SPARE && (spare[count] = dup(STDERR_FILENO)) >= 0)
        count++;
    for (unsigned i = 0; i < count; i++)
        close(spare[i]);
    if (count == SPARE)
        return ERR_OK;
    log_error("open file limit (ulimit -n) is %" PRIu64
              ", with %u left for sessions and control connections: raise it",
              limit_of(RLIMIT_NOFILE), count);
    return ERR_DESCRIPTORS;
}
