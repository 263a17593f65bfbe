/* Protects xmlrpc-c's parser from untrusted documents. The parser expands entities (a body of 486
 * bytes grew to 192 MiB), recurses over the tree (a document of opening tags only would overflow
 * the stack), does not check base64, and dereferences an invalid pointer when it reports an i8 that
 * is not a number. All four are detected by scanning the tags. That is safe because everything that
 * could hide a tag (CDATA, comments, processing instructions, UTF-16) is rejected first, and '<' is
 * not allowed anywhere else. */
#include "rpc/validate.h"

#include "base/text.h"
#include "base/utf8.h"
#include "rpc/tag.h"
#include "rpc/wide.h"

#include <string.h>
#include <strings.h>

/* Besides invalid UTF-8, XML forbids two code points. */
size_t rpc_validate_utf8_length(const char *at, size_t left)
{
    uint32_t code;
    unsigned length = utf8_decode(&code, at, left);

    return length == UTF8_TRUNCATED || length == UTF8_INVALID || code == 0xfffe || code == 0xffff
               ? 0
               : length;
}

/* Length of the prefix that is UTF-8, allowed in XML and without NUL; `length` if all of it is. */
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

        /* xmlrpc-c does not support 4-byte characters. */
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

/* Checks the text up to the next tag: groups of four, at most two '=', only at the end. */
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

/* Checks the text up to the closing tag: an optional '-' and digits, within 64 bits. */
static bool is_i8(const char *at, const char *end)
{
    bool is_negative = at < end && *at == '-';
    uint64_t max = is_negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX, number = 0;
    const char *digits = at + is_negative;

    for (at = digits; at < end && *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');

        if (number > (max - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    return at > digits && end - at >= 2 && at[0] == '<' && at[1] == '/';
}

/* No valid name has a character beyond U+FFFF, so such names are rejected, not encoded. */
static bool is_name_too_wide(const struct rpc_tag *tag, const char *end)
{
    const char *next = memchr(tag->end, '<', (size_t)(end - tag->end));

    return (rpc_tag_is_named(tag, "name") || rpc_tag_is_named(tag, "methodName")) &&
           rpc_wide_has(tag->end, (size_t)((next == NULL ? end : next) - tag->end));
}

/* Checks the value that this tag opens. NULL: no error. */
static const char *check_value(const struct rpc_tag *tag, const char *end)
{
    if (rpc_tag_is_named(tag, "base64") && !is_base64(tag->end, end))
        return "invalid base64 value";
    if ((rpc_tag_is_named(tag, "i8") || rpc_tag_is_named(tag, "ex:i8")) && !is_i8(tag->end, end))
        return "invalid i8 value: expected a 64-bit integer";
    if (is_name_too_wide(tag, end))
        return "name with a character beyond U+FFFF";
    return NULL;
}

/* Skips the XML declaration, if there is one. */
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

/* The parser trusts a declared encoding and would misread UTF-8. */
static bool declares_other_encoding(const char *at, const char *end)
{
    static const char *const accepted[] = {"UTF-8", "UTF8", "US-ASCII", "ASCII"};
    /* For an empty document the pointers may be NULL. */
    const char *word = at == end ? NULL : memmem(at, (size_t)(end - at), "encoding", 8), *close;
    size_t length;

    if (word == NULL)
        return false;
    for (word += 8; word < end && strchr(" \t\r\n=", *word) != NULL; word++)
        ;
    if (word == end || (*word != '"' && *word != '\'') ||
        (close = memchr(word + 1, *word, (size_t)(end - word - 1))) == NULL)
        return false; /* not well-formed: reported by the parser */
    length = (size_t)(close - ++word);
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++)
        if (length == strlen(accepted[i]) && strncasecmp(word, accepted[i], length) == 0)
            return false;
    return true;
}

static const char *check_tags(const char *at, const char *end)
{
    const char *error;
    size_t depth = 0;
    struct rpc_tag tag;

    while (at < end && (at = memchr(at, '<', (size_t)(end - at))) != NULL) {
        if (end - at >= 2 && (at[1] == '!' || at[1] == '?'))
            return at[1] == '!' ? "'<!': document types, comments and CDATA are refused"
                                : "processing instructions are refused";
        if (!rpc_tag_read(&tag, at, end))
            return "unterminated tag";
        if (tag.is_closing)
            depth -= depth > 0;
        else if (!tag.is_empty && ++depth > RPC_DEPTH_LIMIT)
            return "elements nested too deep";
        if ((error = check_value(&tag, end)) != NULL)
            return error;
        at = tag.end;
    }
    return NULL;
}

static bool begins_with(const char *bytes, size_t length, const char *with, size_t with_length)
{
    return length >= with_length && memcmp(bytes, with, with_length) == 0;
}

/* Detects other encodings and compression by the first bytes. NULL: none detected. */
static const char *detect_encoding(const char *bytes, size_t length)
{
    static const struct {
        const char *bytes;
        size_t length;
        const char *error;
    } kinds[] = {
        {"\xff\xfe", 2, "encoded as UTF-16 or UTF-32: use UTF-8"},
        {"\xfe\xff", 2, "encoded as UTF-16: use UTF-8"},
        {"<\0", 2, "encoded as UTF-16 or UTF-32: use UTF-8"},
        {"\0", 1, "starts with a NUL byte (UTF-16 or UTF-32?): use UTF-8"},
        {"\x1f\x8b", 2, "compressed (gzip): send it uncompressed"},
        {"\x28\xb5\x2f\xfd", 4, "compressed (zstd): send it uncompressed"},
        {"\x78\x9c", 2, "compressed (deflate): send it uncompressed"},
        {"\x78\xda", 2, "compressed (deflate): send it uncompressed"},
        {"BZh", 3, "compressed (bzip2): send it uncompressed"},
        {"\xfd"
         "7zXZ",
         5, "compressed (xz): send it uncompressed"},
    };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (begins_with(bytes, length, kinds[i].bytes, kinds[i].length))
            return kinds[i].error;
    return NULL;
}

static const char *check_start(const char *bytes, size_t length)
{
    size_t blank = 0;

    while (blank < length && strchr(" \t\r\n", bytes[blank]) != NULL)
        blank++;
    if (blank == length)
        return "empty document";
    return bytes[blank] == '<' ? NULL : "not XML: expected '<'";
}

const char *rpc_validate_skip_bom(const char *bytes, size_t *length)
{
    static const char mark[] = "\xef\xbb\xbf";

    if (!begins_with(bytes, *length, mark, sizeof mark - 1))
        return bytes;
    *length -= sizeof mark - 1;
    return bytes + sizeof mark - 1;
}

/* For valid UTF-8. */
static const char *check_text(const char *bytes, size_t length)
{
    const char *end = bytes + length, *error = check_start(bytes, length);

    return error != NULL ? error : check_tags(skip_declaration(bytes, end), end);
}

/* Runs before the UTF-8 check: in another encoding the bytes may be valid. */
static const char *check_encoding(const char *bytes, size_t length)
{
    const char *error = detect_encoding(bytes, length);

    if (error == NULL && declares_other_encoding(bytes, skip_declaration(bytes, bytes + length)))
        error = "declares another encoding: use UTF-8";
    return error;
}

enum err rpc_validate_document(const char *bytes, size_t length, char problem[RPC_REASON_SIZE])
{
    char not_utf8[64];
    const char *error;
    size_t good;

    bytes = rpc_validate_skip_bom(bytes, &length);
    if (length > RPC_DOCUMENT_LIMIT) {
        error = "longer than 4 MiB";
    } else if ((error = check_encoding(bytes, length)) == NULL) {
        good = utf8_until(bytes, length);
        text_format(not_utf8, sizeof not_utf8, "not UTF-8 at byte %zu", good);
        error = good < length ? not_utf8 : check_text(bytes, length);
    }
    if (error == NULL)
        return ERR_OK;
    text_format(problem, RPC_REASON_SIZE, "invalid XML document: %s", error);
    return ERR_INVALID;
}
