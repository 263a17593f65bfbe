#include "control/http_token.h"

#include "base/log.h"

#include <string.h>
#include <strings.h>

static const char scheme[] = "Bearer ";

bool http_token_is_shown(const char *header, const char *token)
{
    size_t length = strlen(token), given_length;
    unsigned difference;
    const char *given;

    if (header == NULL || strncasecmp(header, scheme, sizeof scheme - 1) != 0)
        return false;
    given = header + sizeof scheme - 1;
    given_length = strlen(given);
    difference = given_length != length;
    /* Every byte is looked at: no early end that a clock could see. */
    for (size_t i = 0; i < given_length; i++)
        difference |= (unsigned char)given[i] ^ (unsigned char)token[i % (length + 1)];
    return difference == 0;
}

void http_refusals_tell(struct http_refusals *refusals, const struct address *client,
                        uint64_t now_ms)
{
    char text[ADDRESS_TEXT_SIZE];

    refusals->unsaid++;
    if (now_ms < refusals->next_line_ms)
        return;
    log_warning("control: refused a request of %s without the right token (%u since the last line)",
                address_text(text, client), refusals->unsaid);
    *refusals = (struct http_refusals){.next_line_ms = now_ms + HTTP_REFUSALS_LOG_MS};
}
