#include "gateway/contact.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* A URL scheme: no characters that would need quotes in a list of contacts. */
static enum err proto_parse(char out[CONTACT_PROTO_SIZE], const char *text, size_t length)
{
    if (length == 0 || length >= CONTACT_PROTO_SIZE || !is_letter(text[0]))
        return ERR_INVALID;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];

        if (!is_letter(c) && !is_digit(c) && strchr("+-.", c) == NULL)
            return ERR_INVALID;
        out[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    }
    out[length] = '\0';
    return ERR_OK;
}

/* True for an IPv6 address (in brackets before the split), an IPv4 address or a host name. */
static bool host_is_usable(const char *host, bool had_brackets)
{
    struct address ignored;

    if (had_brackets)
        return strchr(host, ':') != NULL && address_from_ip_text(&ignored, host, 0) == ERR_OK;
    for (const char *at = host; *at != '\0'; at++)
        if (!is_letter(*at) && !is_digit(*at) && strchr("._-", *at) == NULL)
            return false;
    return host[0] != '\0' && host[0] != '-';
}

enum err contact_parse(struct contact *out, const char *text)
{
    struct contact contact = {.proto = CONTACT_PROTO_DEFAULT};
    const char *rest = strstr(text, "://");
    bool had_brackets;

    if (rest != NULL) {
        if (proto_parse(contact.proto, text, (size_t)(rest - text)) != ERR_OK)
            return ERR_INVALID;
        text = rest + 3;
    }
    had_brackets = text[0] == '[';
    if (address_split(text, contact.host, &contact.port) != ERR_OK ||
        !host_is_usable(contact.host, had_brackets))
        return ERR_INVALID;
    *out = contact;
    return ERR_OK;
}

const char *contact_advice(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)bytes[i] >= 0x80)
            return "a host name must be ASCII: use its xn-- form, which 'idn2 NAME' prints";
    return NULL;
}

const char *contact_text(char out[CONTACT_TEXT_SIZE], const struct contact *contact)
{
    bool is_v6 = strchr(contact->host, ':') != NULL;

    snprintf(out, CONTACT_TEXT_SIZE, is_v6 ? "%s://[%s]:%u" : "%s://%s:%u", contact->proto,
             contact->host, (unsigned)contact->port);
    return out;
}
