#include "http/reject_log.h"

#include "base/log.h"

void http_reject_log_add(struct http_reject_log *log, const struct address *client, const char *why,
                         uint64_t now_ms)
{
    char text[ADDRESS_TEXT_SIZE];

    log->suppressed++;
    if (now_ms < log->next_line_ms)
        return;
    log_warning("control: refused %s: %s (%u since last logged)", address_text(text, client), why,
                log->suppressed);
    *log = (struct http_reject_log){.next_line_ms = now_ms + HTTP_REJECT_LOG_MS};
}
