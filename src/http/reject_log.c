#include "http/reject_log.h"

#include "base/log.h"

void http_reject_log_tell(struct http_reject_log *refusals, const struct address *client,
                          const char *why, uint64_t now_ms)
{
    char text[ADDRESS_TEXT_SIZE];

    refusals->unsaid++;
    if (now_ms < refusals->next_line_ms)
        return;
    log_warning("control: refused %s: %s (%u since the last line)", address_text(text, client), why,
                refusals->unsaid);
    *refusals = (struct http_reject_log){.next_line_ms = now_ms + HTTP_REJECT_LOG_MS};
}
