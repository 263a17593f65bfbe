#include "base/accept_error.h"

#include <errno.h>

/* accept(2), "Error handling": Linux reports errors that are already pending on the new socket. */
bool accept_error_is_transient(int error_number)
{
    switch (error_number) {
    case EINTR:
    case ECONNABORTED:
    case EPERM:
    case EPROTO:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
    case ENETDOWN:
    case ENETUNREACH:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENONET:
        return true;
    default:
        return false;
    }
}

bool accept_error_is_new(struct accept_error_log *log, uint64_t now_ms)
{
    bool is_new = now_ms >= log->quiet_ms;

    log->quiet_ms = now_ms + ACCEPT_ERROR_QUIET_MS;
    return is_new;
}
