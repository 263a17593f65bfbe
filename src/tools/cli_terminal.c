#include "tools/cli_terminal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { NOT_UTF8 = 0, NOT_WHOLE = 5, CODE_MOST = 0x10FFFF };

/* First and last of what is never raw on a terminal, in order: control characters, what is
 * invisible or has no width, what changes the direction of text, tags and variation selectors. */
static const uint32_t hidden[][2] = {
    {0x0, 0x1F},        {0x7F, 0x9F},       {0xAD, 0xAD},     {0x34F, 0x34F},   {0x61C, 0x61C},
    {0x115F, 0x1160},   {0x17B4, 0x17B5},   {0x180B, 0x180F}, {0x200B, 0x200F}, {0x2028, 0x202E},
    {0x2060, 0x206F},   {0x2800, 0x2800},   {0x3164, 0x3164}, {0xFDD0, 0xFDEF}, {0xFE00, 0xFE0F},
    {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},   {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0x1BCA0, 0x1BCA3},
    {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
};

static bool is_hidden(uint32_t code)
{
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
        if (code >= hidden[i][0] && code <= hidden[i][1])
            return true;
    return false;
}

/* How many bytes a sequence has that begins so. */
static unsigned sequence_length(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first <= 0xDF)
        return 2;
    if (first >= 0xE0 && first <= 0xEF)
        return 3;
    return first >= 0xF0 && first <= 0xF4 ? 4 : NOT_UTF8;
}

/* The character at `at`: its length, NOT_UTF8, or NOT_WHOLE if bytes are missing. */
static unsigned take_character(const unsigned char *at, size_t length, uint32_t *code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned count = sequence_length(at[0]);

    if (count <= 1) {
        *code = at[0];
        return count;
    }
    *code = at[0] & (0x7Fu >> count);
    for (unsigned i = 1; i < count; i++) {
        if (i == length)
            return NOT_WHOLE;
        if ((at[i] & 0xC0) != 0x80)
            return NOT_UTF8;
        *code = *code << 6 | (at[i] & 0x3Fu);
    }
    if (*code < least[count] || *code > CODE_MOST || (*code >= 0xD800 && *code <= 0xDFFF))
        return NOT_UTF8;
    return count;
}

static size_t escape(char *out, const unsigned char *at, unsigned count)
{
    static const char digits[] = "0123456789ABCDEF";

    for (unsigned i = 0; i < count; i++) {
        *out++ = '%';
        *out++ = digits[at[i] >> 4];
        *out++ = digits[at[i] & 15];
    }
    return 3 * (size_t)count;
}

size_t cli_terminal_escape(char *out, const char *bytes, size_t length, bool keeps_lines,
                           bool is_end, size_t *taken)
{
    const unsigned char *at = (const unsigned char *)bytes;
    size_t written = 0, i = 0;

    while (i < length) {
        uint32_t code;
        unsigned count = take_character(at + i, length - i, &code);

        if (count == NOT_WHOLE && !is_end)
            break;
        if (count == NOT_WHOLE || count == NOT_UTF8) {
            written += escape(out + written, at + i, 1);
            count = 1;
        } else if (is_hidden(code) && !(keeps_lines && (code == '\n' || code == '\t'))) {
            written += escape(out + written, at + i, count);
        } else {
            memcpy(out + written, at + i, count);
            written += count;
        }
        i += count;
    }
    *taken = i;
    return written;
}

char *cli_terminal_line(const char *text)
{
    size_t length = strlen(text), taken;
    char *line = malloc(3 * length + 1);

    if (line != NULL)
        line[cli_terminal_escape(line, text, length, false, true, &taken)] = '\0';
    return line;
}

bool cli_is_utf8(const char *bytes, size_t length)
{
    for (size_t i = 0; i < length;) {
        uint32_t code;
        unsigned count = take_character((const unsigned char *)bytes + i, length - i, &code);

        if (count == NOT_UTF8 || count == NOT_WHOLE || code == 0)
            return false;
        i += count;
    }
    return true;
}
