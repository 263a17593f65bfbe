/* Rate-limited logging of refused clients on a TCP address. */
#ifndef HTTP_REJECT_LOG_H
#define HTTP_REJECT_LOG_H

#include "base/address.h"

#include <stdint.h>

enum { HTTP_REJECT_LOG_MS = 10000 };

/* One kind of refusal. All zero: none yet. */
struct http_reject_log {
    uint64_t next_line_ms;
    unsigned suppressed;
};

/* Logs at most one line in HTTP_REJECT_LOG_MS: the last client's address, `why`, and how many. */
void http_reject_log_add(struct http_reject_log *log, const struct address *client, const char *why,
                         uint64_t now_ms);

#endif
