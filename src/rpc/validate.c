/* What stands between foreign bytes and xmlrpc-c's parser. That parser expands entities (a body of
 * 486 bytes grew to 192 MiB), takes apart its tree by recursion (a document that is nothing but
 * opening tags would use up the stack), does not check base64, and reads through a wild pointer to
 * complain about an i8 that is no number. All four are found here by looking at the tags alone,
 * which is safe because what could hide a tag (CDATA, comments, processing instructions, UTF-16) is
 * refused first, and '<' cannot stand anywhere else. */
#include "rpc/validate.h"

#include "base/text.h"
#include "base/utf8.h"
#include "rpc/tag.h"
#include "rpc/wide.h"

#include <string.h>
#include <strings.h>

/* Beside what is no UTF-8, XML forbids two code points. */
size_t rpc_validate_utf8_length(const char *at, size_t left)
{
    uint32_t code;
    unsigned length = utf8_decode(&code, at, left);

    return length == UTF8_TRUNCATED || length == UTF8_INVALID || code == 0xfffe || code == 0xffff
               ? 0
               : length;
}

/* How far it is UTF-8 that XML may hold, without NUL: `length` if all of it is. */
static size_t utf8_until(const char *bytes, size_t length)
{
    size_t i = 0;

    while (i < length && bytes[i] != '\0') {
        size_t step =
            (unsigned char)bytes[i] < 0x80 ? 1 : rpc_validate_utf8_length(bytes + i, length - i);

        if (step == 0)
            break;
        i += step;
    }
    return i;
}

bool rpc_validate_text(const char *bytes, size_t length)
{
    if (utf8_until(bytes, length) < length)
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

/* The names are ours, and none of them has any such character. */
static bool is_name_too_wide(const struct rpc_tag *tag, const char *end)
{
    const char *next = memchr(tag->end, '<', (size_t)(end - tag->end));

    return (rpc_tag_is_named(tag, "name") || rpc_tag_is_named(tag, "methodName")) &&
           rpc_wide_has(tag->end, (size_t)((next == NULL ? end : next) - tag->end));
}

/* What is wrong with the value that this tag begins; NULL: nothing that is looked at here. */
static const char *check_value(const struct rpc_tag *tag, const char *end)
{
    if (rpc_tag_is_named(tag, "base64") && !is_base64(tag->end, end))
        return "one of its base64 values is not base64";
    if ((rpc_tag_is_named(tag, "i8") || rpc_tag_is_named(tag, "ex:i8")) && !is_i8(tag->end, end))
        return "one of its i8 values is no whole number of 64 bits";
    if (is_name_too_wide(tag, end))
        return "one of its names holds a character beyond U+FFFF";
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

/* A parser believes a declared encoding: what is UTF-8 would come out as something else. */
static bool is_declared_otherwise(const char *at, const char *end)
{
    static const char *const taken[] = {"UTF-8", "UTF8", "US-ASCII", "ASCII"};
    /* An empty document has no address. */
    const char *word = at == end ? NULL : memmem(at, (size_t)(end - at), "encoding", 8), *close;
    size_t length;

    if (word == NULL)
        return false;
    for (word += 8; word < end && strchr(" \t\r\n=", *word) != NULL; word++)
        ;
    if (word == end || (*word != '"' && *word != '\'') ||
        (close = memchr(word + 1, *word, (size_t)(end - word - 1))) == NULL)
        return false; /* not well-formed: the parser says so */
    length = (size_t)(close - ++word);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
        if (length == strlen(taken[i]) && strncasecmp(word, taken[i], length) == 0)
            return false;
    return true;
}

static const char *check_tags(const char *at, const char *end)
{
    const char *trouble;
    size_t depth = 0;
    struct rpc_tag tag;

    while (at < end && (at = memchr(at, '<', (size_t)(end - at))) != NULL) {
        if (end - at >= 2 && (at[1] == '!' || at[1] == '?'))
            return at[1] == '!' ? "it holds '<!': document types, comments and CDATA are refused"
                                : "it holds a processing instruction, which is refused";
        if (!rpc_tag_read(&tag, at, end))
            return "it ends within a tag";
        if (tag.is_closing)
            depth -= depth > 0;
        else if (!tag.is_empty && ++depth > RPC_DEPTH_LIMIT)
            return "its elements stand too deep inside each other";
        if ((trouble = check_value(&tag, end)) != NULL)
            return trouble;
        at = tag.end;
    }
    return NULL;
}

static bool begins_with(const char *bytes, size_t length, const char *with, size_t with_length)
{
    return length >= with_length && memcmp(bytes, with, with_length) == 0;
}

/* What it is instead of XML in UTF-8, by its first bytes; NULL: nothing that is known here. */
static const char *name_kind(const char *bytes, size_t length)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *trouble;
    } kinds[] = {
        {"\xff\xfe", 2, "it is UTF-16 or UTF-32: write it in UTF-8"},
        {"\xfe\xff", 2, "it is UTF-16: write it in UTF-8"},
        {"<\0", 2, "it is UTF-16 or UTF-32: write it in UTF-8"},
        {"\0", 1, "it begins with a NUL byte, as UTF-16 and UTF-32 may: write it in UTF-8"},
        {"\x1f\x8b", 2, "it is compressed (gzip): send it as it is"},
        {"\x28\xb5\x2f\xfd", 4, "it is compressed (zstd): send it as it is"},
        {"\x78\x9c", 2, "it is compressed (deflate): send it as it is"},
        {"\x78\xda", 2, "it is compressed (deflate): send it as it is"},
        {"BZh", 3, "it is compressed (bzip2): send it as it is"},
        {"\xfd"
         "7zXZ",
         5, "it is compressed (xz): send it as it is"},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (begins_with(bytes, length, kinds[i].bytes, kinds[i].length))
            return kinds[i].trouble;
    return NULL;
}

static const char *check_beginning(const char *bytes, size_t length)
{
    size_t blank = 0;

    while (blank < length && strchr(" \t\r\n", bytes[blank]) != NULL)
        blank++;
    if (blank == length)
        return "it is empty";
    return bytes[blank] == '<' ? NULL : "it is no XML, which begins with '<'";
}

const char *rpc_validate_skip_mark(const char *bytes, size_t *length)
{
    static const char mark[] = "\xef\xbb\xbf";

    if (!begins_with(bytes, *length, mark, sizeof mark - 1))
        return bytes;
    *length -= sizeof mark - 1;
    return bytes + sizeof mark - 1;
}

/* Of what is UTF-8. */
static const char *check_text(const char *bytes, size_t length)
{
    const char *end = bytes + length, *trouble = check_beginning(bytes, length);

    return trouble != NULL ? trouble : check_tags(skip_declaration(bytes, end), end);
}

/* Before its bytes are judged: in the encoding that it names they may be right. */
static const char *check_encoding(const char *bytes, size_t length)
{
    const char *trouble = name_kind(bytes, length);

    if (trouble == NULL && is_declared_otherwise(bytes, skip_declaration(bytes, bytes + length)))
        trouble = "it declares another encoding than UTF-8: write it in UTF-8";
    return trouble;
}

enum err rpc_validate_document(const char *bytes, size_t length, char problem[RPC_REASON_SIZE])
{
    char not_utf8[64];
    const char *trouble;
    size_t good;

    bytes = rpc_validate_skip_mark(bytes, &length);
    if (length > RPC_DOCUMENT_LIMIT) {
        trouble = "it is longer than 4 MiB";
    } else if ((trouble = check_encoding(bytes, length)) == NULL) {
        good = utf8_until(bytes, length);
        text_format(not_utf8, sizeof not_utf8, "it is not UTF-8 at byte %zu", good);
        trouble = good < length ? not_utf8 : check_text(bytes, length);
    }
    if (trouble == NULL)
        return ERR_OK;
    text_format(problem, RPC_REASON_SIZE, "the XML document cannot be taken: %s", trouble);
    return ERR_INVALID;
}
