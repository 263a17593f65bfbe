#include "http/head.h"

#include "http/auth.h"
#include "http/call.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *value_of(const struct http_head *head, const char *name)
{
    return MHD_lookup_connection_value(head->connection, MHD_HEADER_KIND, name);
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return length == strlen(word) && strncasecmp(text, word, length) == 0;
}

/* True without a charset, or with one that UTF-8 is a superset of. */
static bool is_charset_accepted(const char *parameters)
{
    const char *at = strcasestr(parameters, "charset");
    size_t length;

    if (at == NULL)
        return true;
    at += strlen("charset");
    at += strspn(at, " \t=\"'");
    length = strcspn(at, " \t;\"'");
    return is_word(at, length, "utf-8") || is_word(at, length, "utf8") ||
           is_word(at, length, "us-ascii") || is_word(at, length, "ascii");
}

/* Runs before any other check, so that an unauthorized client cannot probe for routes. */
static enum http_refusal check_client(const struct http_head *head, const char *token)
{
    bool is_public = head->route != NULL && head->route->access == HTTP_ROUTE_PUBLIC;

    if (token == NULL)
        return HTTP_REFUSAL_NONE;
    if (!is_public && token[0] != '\0' &&
        !http_auth_is_valid(value_of(head, MHD_HTTP_HEADER_AUTHORIZATION), token))
        return HTTP_REFUSAL_TOKEN;
    return value_of(head, MHD_HTTP_HEADER_ORIGIN) != NULL ? HTTP_REFUSAL_ORIGIN : HTTP_REFUSAL_NONE;
}

static enum http_refusal check_type(struct http_head *head)
{
    const char *parameters;

    if (!http_route_accepts(head->route, value_of(head, MHD_HTTP_HEADER_CONTENT_TYPE),
                            &parameters)) {
        snprintf(head->expected, sizeof head->expected, "%s", head->route->types[0]);
        return HTTP_REFUSAL_TYPE;
    }
    return is_charset_accepted(parameters) ? HTTP_REFUSAL_NONE : HTTP_REFUSAL_CHARSET;
}

struct lengths {
    unsigned given, chunked;
    bool has_blank; /* a header name with a blank, which other parsers may ignore */
};

static enum MHD_Result count_lengths(void *cls, enum MHD_ValueKind kind, const char *name,
                                     const char *value)
{
    struct lengths *lengths = cls;

    (void)kind, (void)value;
    lengths->given += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
    lengths->chunked += strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0;
    lengths->has_blank = lengths->has_blank || strpbrk(name, " \t") != NULL;
    return MHD_YES;
}

/* Prevents request smuggling: of several length headers libmicrohttpd uses one, and a proxy in
 * front of it could use another. */
static bool is_length_clear(struct MHD_Connection *connection)
{
    struct lengths lengths = {0};

    MHD_get_connection_values(connection, MHD_HEADER_KIND, count_lengths, &lengths);
    return lengths.given + lengths.chunked <= 1 && !lengths.has_blank;
}

/* Chunked encoding counts as a body, since the head does not tell whether it will be empty. */
static bool has_body(const struct http_head *head, const char *length)
{
    return value_of(head, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL ||
           (length != NULL && strtoull(length, NULL, 10) > 0);
}

static enum http_refusal check_body_headers(const struct http_head *head)
{
    const char *length = value_of(head, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char *encoding = value_of(head, MHD_HTTP_HEADER_CONTENT_ENCODING);
    const char *expect = value_of(head, MHD_HTTP_HEADER_EXPECT);

    if (encoding != NULL && encoding[0] != '\0' && strcasecmp(encoding, "identity") != 0)
        return HTTP_REFUSAL_ENCODING;
    if (expect != NULL && strcasecmp(expect, "100-continue") != 0)
        return HTTP_REFUSAL_EXPECTATION;
    if (!is_length_clear(head->connection))
        return HTTP_REFUSAL_AMBIGUOUS;
    if (head->route->types == NULL && has_body(head, length))
        return HTTP_REFUSAL_BODY;
    if (length != NULL && strtoull(length, NULL, 10) > HTTP_CALL_BODY_LIMIT)
        return HTTP_REFUSAL_LENGTH;
    return HTTP_REFUSAL_NONE;
}

enum http_refusal http_head_check(struct http_head *head, const struct http_routes *routes,
                                  const char *token)
{
    enum http_routes_found found =
        http_routes_find(routes, head->method, head->target, &head->route);
    enum http_refusal refused = check_client(head, token);

    head->expected[0] = '\0';
    if (refused != HTTP_REFUSAL_NONE)
        return refused;
    if (found == HTTP_ROUTES_NO_PATH) {
        http_routes_paths(routes, head->expected);
        return HTTP_REFUSAL_PATH;
    }
    if (found == HTTP_ROUTES_NO_METHOD) {
        http_routes_methods(routes, head->target, head->expected);
        return HTTP_REFUSAL_METHOD;
    }
    if ((refused = check_type(head)) != HTTP_REFUSAL_NONE)
        return refused;
    return check_body_headers(head);
}
