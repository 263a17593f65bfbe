#include "http/auth.h"

#include <string.h>
#include <strings.h>

static const char scheme[] = "Bearer ";

bool http_auth_is_valid(const char *header, const char *token)
{
    size_t length = strlen(token), given_length;
    unsigned difference;
    const char *given;

    if (header == NULL || strncasecmp(header, scheme, sizeof scheme - 1) != 0)
        return false;
    given = header + sizeof scheme - 1;
    given_length = strlen(given);
    difference = given_length != length;
    /* Constant time for a given header length: every byte is compared. */
    for (size_t i = 0; i < given_length; i++)
        difference |= (unsigned char)given[i] ^ (unsigned char)token[i % (length + 1)];
    return difference == 0;
}
