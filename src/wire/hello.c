#include "wire/frame.h"

#include <arpa/inet.h>
#include <string.h>

/* BitDust splits the payload at single spaces into two parts, the first part at ':' into two parts,
 * and passes the second of these to Python's int(). This accepts the same input. */

static bool is_blank(uint8_t byte)
{
    return byte >= '\t' && byte <= '\r'; /* \t \n \v \f \r: what int() strips, except the space */
}

/* Parses `text` as int() does: blanks around it, one sign, digits, single underscores between
 * digits.
 * `*value` saturates above 65535. */
static bool read_integer(const uint8_t *text, size_t length, bool *is_negative, uint32_t *value)
{
    bool was_digit = false;

    while (length > 0 && is_blank(text[length - 1]))
        length--;
    while (length > 0 && is_blank(*text))
        text++, length--;
    *is_negative = length > 0 && *text == '-';
    if (length > 0 && (*text == '-' || *text == '+'))
        text++, length--;
    *value = 0;
    for (size_t i = 0; i < length; i++) {
        if (text[i] >= '0' && text[i] <= '9') {
            was_digit = true;
            if (*value <= 65535)
                *value = *value * 10 + (uint32_t)(text[i] - '0');
        } else if (text[i] == '_' && was_digit) {
            was_digit = false;
        } else {
            return false;
        }
    }
    return was_digit;
}

/* "[v6]", which only dustwire announces. */
static bool is_bracketed_v6(const uint8_t *host, size_t length)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr ip;

    if (length < 4 || length - 2 >= sizeof text || host[0] != '[' || host[length - 1] != ']')
        return false;
    memcpy(text, host + 1, length - 2);
    text[length - 2] = '\0';
    return memchr(text, '\0', length - 2) == NULL && inet_pton(AF_INET6, text, &ip) == 1;
}

enum err hello_parse(struct hello *out, const uint8_t *payload, size_t length)
{
    const uint8_t *space = length == 0 ? NULL : memchr(payload, ' ', length), *end, *colon;
    size_t address_length, port_length;
    bool is_negative;
    uint32_t port;

    *out = (struct hello){0};
    if (space == NULL)
        return ERR_PROTOCOL;
    end = payload + length;
    if (memchr(space + 1, ' ', (size_t)(end - space - 1)) != NULL)
        return ERR_PROTOCOL;
    address_length = (size_t)(space - payload);
    colon = memrchr(payload, ':', address_length);
    if (colon == NULL)
        return ERR_PROTOCOL;
    out->host = payload;
    out->host_length = (size_t)(colon - payload);
    if (memchr(payload, ':', out->host_length) != NULL &&
        !is_bracketed_v6(payload, out->host_length))
        return ERR_PROTOCOL;
    port_length = (size_t)(space - colon - 1);
    if (!read_integer(colon + 1, port_length, &is_negative, &port))
        return ERR_PROTOCOL;
    out->is_port_usable = !is_negative && port >= 1 && port <= 65535;
    out->port = out->is_port_usable ? (uint16_t)port : 0;
    out->idurl = space + 1;
    out->idurl_length = (size_t)(end - space - 1);
    return ERR_OK;
}
