/* What stands between foreign bytes and xmlrpc-c's parser. That parser expands entities (a body of
 * 486 bytes grew to 192 MiB), takes apart its tree by recursion (a document that is nothing but
 * opening tags would use up the stack), does not check base64, and reads through a wild pointer to
 * complain about an i8 that is no number. All four are found here by looking at the tags alone,
 * which is safe because what could hide a tag (CDATA, comments, processing instructions, UTF-16) is
 * refused first, and '<' cannot stand anywhere else. */
#include "control/xmlrpc.h"

#include "base/text.h"

#include <string.h>

/* Length of the UTF-8 sequence at `at`, 0 if it is none: overlong forms, surrogates and what lies
 * beyond U+10FFFF are none, nor are the two code points that XML forbids. */
static size_t utf8_length(const unsigned char *at, size_t left)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    uint32_t code;
    size_t length;

    if (at[0] < 0x80)
        return 1;
    if (at[0] >= 0xc2 && at[0] <= 0xdf)
        length = 2;
    else if ((at[0] & 0xf0) == 0xe0)
        length = 3;
    else if (at[0] >= 0xf0 && at[0] <= 0xf4)
        length = 4;
    else
        return 0;
    if (length > left)
        return 0;
    code = at[0] & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ||
        code == 0xfffe || code == 0xffff)
        return 0;
    return length;
}

static bool is_utf8_without_nul(const char *bytes, size_t length)
{
    const unsigned char *at = (const unsigned char *)bytes, *end = at + length;

    while (at < end) {
        size_t step = *at == 0 ? 0 : utf8_length(at, (size_t)(end - at));

        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

bool rpc_is_clean_text(const char *bytes, size_t length)
{
    if (!is_utf8_without_nul(bytes, length))
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)bytes[i];

        /* xmlrpc-c knows no character of four bytes. */
        if ((byte < 0x20 && byte != '\t' && byte != '\n') || byte == 0x7f || byte >= 0xf0)
            return false;
    }
    return true;
}

static bool is_base64_digit(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
}

/* Everything up to the next tag. Digits in fours, at most two '=' and only at the end. */
static bool is_base64(const char *at, const char *end)
{
    size_t digits = 0, pads = 0;

    for (; at < end && *at != '<'; at++) {
        if (strchr(" \t\r\n", *at) != NULL)
            continue;
        if (*at == '=')
            pads++;
        else if (is_base64_digit(*at) && pads == 0)
            digits++;
        else
            return false;
    }
    return pads <= 2 && (digits + pads) % 4 == 0;
}

/* Everything up to the tag that ends it: an optional '-' and digits, not beyond 64 bits. */
static bool is_i8(const char *at, const char *end)
{
    bool is_negative = at < end && *at == '-';
    uint64_t most = is_negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX, number = 0;
    const char *digits = at + is_negative;

    for (at = digits; at < end && *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');

        if (number > (most - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    return at > digits && end - at >= 2 && at[0] == '<' && at[1] == '/';
}

struct tag {
    const char *end; /* behind '>' */
    bool is_closing;
    bool is_empty; /* <nil/> */
};

/* A tag with a quote in it counts as opening even if it ends with "/>": "<a b='/>'>" must not hide
 * its depth. XML-RPC has no attributes, so nobody is the worse for it. */
static bool read_tag(struct tag *out, const char *at, const char *end)
{
    const char *close = memchr(at, '>', (size_t)(end - at));
    size_t length;

    if (close == NULL)
        return false;
    length = (size_t)(close - at);
    out->end = close + 1;
    out->is_closing = length > 1 && at[1] == '/';
    out->is_empty = close[-1] == '/' && memchr(at, '"', length) == NULL &&
                    memchr(at, '\'', length) == NULL && length > 2;
    return true;
}

/* True for <name>, <name/>, <name with="attributes">. */
static bool is_named(const char *at, const struct tag *tag, const char *name)
{
    size_t length = strlen(name);

    return !tag->is_closing && (size_t)(tag->end - at) > length + 1 &&
           memcmp(at + 1, name, length) == 0 && strchr(" \t\r\n/>", at[1 + length]) != NULL;
}

/* What is wrong with the value that this tag begins; NULL: nothing that is looked at here. */
static const char *check_value(const char *at, const struct tag *tag, const char *end)
{
    if (is_named(at, tag, "base64") && !is_base64(tag->end, end))
        return "one of its base64 values is not base64";
    if ((is_named(at, tag, "i8") || is_named(at, tag, "ex:i8")) && !is_i8(tag->end, end))
        return "one of its i8 values is no whole number of 64 bits";
    return NULL;
}

/* Behind the declaration, if there is one. */
static const char *skip_declaration(const char *at, const char *end)
{
    const char *from = at;

    while (at < end && strchr(" \t\r\n", *at) != NULL)
        at++;
    if (end - at < 6 || memcmp(at, "<?xml", 5) != 0 || strchr(" \t\r\n", at[5]) == NULL)
        return from;
    for (at += 6; end - at >= 2; at++) {
        if (*at == '<')
            return from;
        if (at[0] == '?' && at[1] == '>')
            return at + 2;
    }
    return from;
}

static const char *check_tags(const char *at, const char *end)
{
    const char *trouble;
    size_t depth = 0;
    struct tag tag;

    while (at < end && (at = memchr(at, '<', (size_t)(end - at))) != NULL) {
        if (end - at >= 2 && (at[1] == '!' || at[1] == '?'))
            return at[1] == '!' ? "it holds '<!': document types, comments and CDATA are refused"
                                : "it holds a processing instruction, which is refused";
        if (!read_tag(&tag, at, end))
            return "it ends within a tag";
        if (tag.is_closing)
            depth -= depth > 0;
        else if (!tag.is_empty && ++depth > RPC_DEPTH_LIMIT)
            return "its elements stand too deep inside each other";
        if ((trouble = check_value(at, &tag, end)) != NULL)
            return trouble;
        at = tag.end;
    }
    return NULL;
}

enum err rpc_document_check(const char *bytes, size_t length, char problem[RPC_REASON_SIZE])
{
    const char *trouble;

    if (length > RPC_DOCUMENT_LIMIT)
        trouble = "it is longer than 4 MiB";
    else if (!is_utf8_without_nul(bytes, length))
        trouble = "it is not UTF-8";
    else
        trouble = check_tags(skip_declaration(bytes, bytes + length), bytes + length);
    if (trouble == NULL)
        return ERR_OK;
    text_format(problem, RPC_REASON_SIZE, "the XML document cannot be taken: %s", trouble);
    return ERR_INVALID;
}
