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
        log_warning("cannot raise the limit of descriptors: %s", strerror(errno));
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
        log_warning("this process may open %" PRIu64 " files (ulimit -n), so there can be fewer "
                    "sessions than [sessions] limit = %u",
                    files, s->sessions.limit);
    if (bytes != RLIM_INFINITY)
        log_warning("this process may write no file beyond %" PRIu64 " bytes (ulimit -f): larger "
                    "ones cannot be received",
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
    log_error("this process may open %" PRIu64
              " files (ulimit -n), of which %u are left for sessions "
              "and whoever asks: let it open more",
              limit_of(RLIMIT_NOFILE), count);
    return ERR_DESCRIPTORS;
}
