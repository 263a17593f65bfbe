/* Who may ask at a TCP address: the token of the settings, as `Authorization: Bearer TOKEN`. */
#ifndef CONTROL_HTTP_TOKEN_H
#define CONTROL_HTTP_TOKEN_H

#include "base/address.h"

#include <stdbool.h>
#include <stdint.h>

/* True if `header` (the value of Authorization, or NULL) shows `token`. How long it takes tells
 * nothing of how much of a wrong one is right. */
bool http_token_is_shown(const char *header, const char *token);

/* At most one log line in HTTP_REFUSALS_LOG_MS, however many are refused: whoever guesses cannot
 * fill the log. */
enum { HTTP_REFUSALS_LOG_MS = 10000 };
struct http_refusals {
    uint64_t next_line_ms;
    unsigned unsaid;
};
void http_refusals_tell(struct http_refusals *refusals, const struct address *client,
                        uint64_t now_ms);

#endif
