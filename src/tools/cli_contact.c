#include "tools/cli_contact.h"

#include "gateway/contact.h"

#include <stdio.h>
#include <string.h>

static bool parse(struct contact *out, const char *text, size_t length)
{
    char copy[CONTACT_TEXT_SIZE];

    if (length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return contact_parse(out, copy) == ERR_OK;
}

static bool refuse(const char *text, size_t length)
{
    fprintf(
        stderr,
        "dustwire: '%.*s' is no contact: write HOST:PORT, or PROTO://HOST:PORT, an IPv6 address in "
        "brackets, the port from 1 to 65535\n",
        (int)length, text);
    return false;
}

bool cli_contact_check(const char *text, bool is_list)
{
    const char *between = is_list ? ", \t\r\n" : "";
    struct contact ignored;
    size_t length;

    text += strspn(text, between);
    do {
        length = strcspn(text, between);
        if (!parse(&ignored, text, length))
            return refuse(text, length);
        text += length;
        text += strspn(text, between);
    } while (*text != '\0');
    return true;
}

bool cli_url_check(const char *url)
{
    size_t length = strlen(url);
    struct contact contact;

    if (length > 0 && url[length - 1] == '/')
        length--;
    if (parse(&contact, url, length) && strcmp(contact.proto, "http") == 0 &&
        strncmp(url + 4, "://", 3) == 0)
        return true;
    fprintf(
        stderr,
        "dustwire: --url takes http://HOST:PORT, which is the daemon's [control] listen, and '%s' "
        "is not that; --socket PATH takes its Unix socket\n",
        url);
    return false;
}
