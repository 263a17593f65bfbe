/* xmlrpc-c does not support 4-byte characters, which XML-RPC allows. In a received document, a
 * string with such a character is replaced by base64 of its bytes, which the methods accept as
 * text. The text of the document is rewritten: its tags are scanned (validate.c says why that is
 * safe), and references and line ends, which xmlrpc-c would have decoded, are decoded here. */
#include "rpc/wide.h"

#include "base/text.h"
#include "base/utf8.h"
#include "rpc/tag.h"

#include <stdlib.h>
#include <string.h>
#include <xmlrpc-c/base.h>

enum { WIDE_MIN = 0x10000, CODE_MAX = 0x10ffff };

struct text {
    const char *at, *end;
};

/* Reads a character reference, &#128230; or &#x1F4E6;. Returns its code, 0 if invalid; `*length` is
 * the length of the reference. */
static uint32_t read_number(struct text t, size_t *length)
{
    bool is_hex = t.end - t.at > 3 && t.at[2] == 'x';
    const char *at = t.at + (is_hex ? 3 : 2);
    unsigned base = is_hex ? 16 : 10;
    uint32_t code = 0;

    for (; at < t.end && *at != ';'; at++) {
        unsigned digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
                         : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a') + 10
                         : *at >= 'A' && *at <= 'F' ? (unsigned)(*at - 'A') + 10
                                                    : 99;

        if (digit >= base || code > CODE_MAX)
            return 0;
        code = code * base + digit;
    }
    *length = (size_t)(at - t.at) + 1;
    return at < t.end && code <= CODE_MAX ? code : 0;
}

static bool is_number(struct text t)
{
    return t.end - t.at > 2 && t.at[0] == '&' && t.at[1] == '#';
}

/* Length of the wide character at the start of `t`, in bytes or as a reference; 0 if it is none. */
static size_t wide_length(struct text t, uint32_t *code)
{
    size_t length = 0;

    if ((unsigned char)t.at[0] >= 0xf0)
        return utf8_decode(code, t.at, (size_t)(t.end - t.at));
    if (!is_number(t) || (*code = read_number(t, &length)) < WIDE_MIN)
        return 0;
    return length;
}

bool rpc_wide_has(const char *bytes, size_t length)
{
    struct text t = {bytes, bytes + length};
    uint32_t code;

    for (; t.at < t.end; t.at++)
        if (((unsigned char)*t.at >= 0xf0 || *t.at == '&') && wide_length(t, &code) > 0)
            return true;
    return false;
}

/* Decodes the reference at `t`. False: not allowed in XML. */
static bool put_reference(char **to, struct text *t)
{
    static const struct {
        const char *name;
        char byte;
    } known[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}};
    size_t length = 0;
    uint32_t code;

    if (is_number(*t)) {
        code = read_number(*t, &length);
        if (code == 0 || (code < 0x20 && code != '\t' && code != '\n' && code != '\r') ||
            (code >= 0xd800 && code <= 0xdfff) || code == 0xfffe || code == 0xffff)
            return false;
        *to += utf8_encode(*to, code);
        t->at += length;
        return true;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        length = strlen(known[i].name);
        if ((size_t)(t->end - t->at) >= length && memcmp(t->at, known[i].name, length) == 0) {
            *(*to)++ = known[i].byte;
            t->at += length;
            return true;
        }
    }
    return false;
}

/* Decodes text as an XML parser does. False: not well-formed, which the parser will report. */
static bool decode(char *to, size_t *length, struct text t)
{
    char *from = to;

    while (t.at < t.end) {
        if (*t.at == '&') {
            if (!put_reference(&to, &t))
                return false;
            continue;
        }
        if (*t.at != '\r')
            *to++ = *t.at;
        else if (t.at + 1 == t.end || t.at[1] != '\n')
            *to++ = '\n';
        t.at++;
    }
    *length = (size_t)(to - from);
    return true;
}

struct encoder {
    char *to;             /* three times the document's size, the maximum after encoding */
    char *before_tag;     /* where the last tag was written */
    struct rpc_tag tag;   /* the last tag; begin is NULL before the first */
    bool is_fault_string; /* the value of faultString is next */
};

static void put(struct encoder *n, const char *bytes, size_t length)
{
    memcpy(n->to, bytes, length);
    n->to += length;
}

/* Writes the text of `<value>text</value>` or `<string>text</string>` as base64. False: nothing
 * written. */
static bool put_base64(struct encoder *n, struct text t, bool is_string)
{
    size_t length = (size_t)(t.end - t.at);
    char *bytes = malloc(length + 1);
    xmlrpc_mem_block *block = NULL;
    xmlrpc_env env;
    bool is_done;

    xmlrpc_env_init(&env);
    if (bytes != NULL && decode(bytes, &length, t))
        block = xmlrpc_base64_encode_without_newlines(&env, (unsigned char *)bytes, length);
    is_done = block != NULL && !env.fault_occurred;
    if (is_done) {
        if (is_string)
            n->to = n->before_tag;
        put(n, "<base64>", 8);
        put(n, XMLRPC_MEMBLOCK_CONTENTS(char, block), XMLRPC_MEMBLOCK_SIZE(char, block));
        put(n, "</base64>", 9);
    }
    if (block != NULL)
        XMLRPC_MEMBLOCK_FREE(char, block);
    xmlrpc_env_clean(&env);
    free(bytes);
    return is_done;
}

static void put_escaped(struct encoder *n, struct text t)
{
    while (t.at < t.end) {
        uint32_t code = 0;
        size_t length = wide_length(t, &code);
        char bytes[UTF8_SIZE_MAX];
        size_t size;

        if (length == 0) {
            *n->to++ = *t.at++;
            continue;
        }
        size = utf8_encode(bytes, code);
        n->to += text_escape(n->to, 3 * size + 1, bytes, size, false);
        t.at += length;
    }
}

/* True if `tag` and `next` are <name> and </name>. */
static bool is_pair(const struct rpc_tag *tag, const struct rpc_tag *next, const char *name)
{
    size_t length = strlen(name);

    return tag->begin != NULL && rpc_tag_is_named(tag, name) && next->is_closing &&
           (size_t)(next->end - next->begin) > length + 2 &&
           memcmp(next->begin + 2, name, length) == 0 &&
           strchr(" \t\r\n>", next->begin[2 + length]) != NULL;
}

/* Writes the text between the last tag and `next`. True: `next` was written, too. */
static bool put_text(struct encoder *n, struct text t, const struct rpc_tag *next)
{
    bool is_string = is_pair(&n->tag, next, "string");
    bool is_value = is_pair(&n->tag, next, "value");
    bool is_wide = rpc_wide_has(t.at, (size_t)(t.end - t.at));

    if (is_wide && n->is_fault_string)
        put_escaped(n, t);
    else if (!is_wide || (!is_string && !is_value) || !put_base64(n, t, is_string))
        put(n, t.at, (size_t)(t.end - t.at));
    else
        return is_string;
    return false;
}

static bool is_name_of_fault(const struct encoder *n, struct text t)
{
    static const char name[] = "faultString";

    return n->tag.begin != NULL && rpc_tag_is_named(&n->tag, "name") &&
           (size_t)(t.end - t.at) == sizeof name - 1 && memcmp(t.at, name, sizeof name - 1) == 0;
}

enum err rpc_wide_encode(char **out, size_t *out_length, const char *bytes, size_t length)
{
    struct text rest = {bytes, bytes + length};
    struct encoder n = {.to = malloc(3 * length + 64)};
    char *document = n.to, *tag_start;
    struct rpc_tag next;
    const char *tag;

    if (document == NULL)
        return ERR_NO_MEMORY;
    while (rest.at < rest.end &&
           (tag = memchr(rest.at, '<', (size_t)(rest.end - rest.at))) != NULL &&
           rpc_tag_read(&next, tag, rest.end)) {
        struct text t = {rest.at, tag};
        bool is_name = is_name_of_fault(&n, t);

        if (!put_text(&n, t, &next)) {
            tag_start = n.to;
            put(&n, next.begin, (size_t)(next.end - next.begin));
            n.before_tag = tag_start;
        }
        if (is_name || (next.is_closing && t.at < t.end))
            n.is_fault_string = is_name;
        n.tag = next;
        rest.at = next.end;
    }
    put(&n, rest.at, (size_t)(rest.end - rest.at));
    *out = document;
    *out_length = (size_t)(n.to - document);
    return ERR_OK;
}
