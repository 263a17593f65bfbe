/* Strangers that are refused at a TCP address: told in the log, but whoever makes many cannot fill
 * it. */
#ifndef HTTP_REJECT_LOG_H
#define HTTP_REJECT_LOG_H

#include "base/address.h"

#include <stdint.h>

enum { HTTP_REJECT_LOG_MS = 10000 };

/* Of one kind. All zero: none yet. */
struct http_reject_log {
    uint64_t next_line_ms;
    unsigned unsaid;
};

/* At most one log line in HTTP_REJECT_LOG_MS: `why`, the last one's address, and how many. */
void http_reject_log_tell(struct http_reject_log *refusals, const struct address *client,
                          const char *why, uint64_t now_ms);

#endif
