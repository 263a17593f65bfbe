#include "cli/terminal.h"

#include "base/text.h"
#include "base/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Ranges (first, last) that are always escaped, in order: control, invisible, zero-width and
 * bidirectional characters, tags and variation selectors. */
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

size_t cli_terminal_escape(char *out, const char *bytes, size_t length, bool keeps_lines,
                           bool is_end, size_t *consumed)
{
    size_t written = 0, i = 0;

    while (i < length) {
        uint32_t code;
        unsigned count = utf8_decode(&code, bytes + i, length - i);
        bool is_text = count != UTF8_INVALID && count != UTF8_TRUNCATED;

        if (count == UTF8_TRUNCATED && !is_end)
            break;
        if (!is_text)
            count = 1;
        if (!is_text || (is_hidden(code) && !(keeps_lines && (code == '\n' || code == '\t')))) {
            written += text_escape(out + written, 3 * (size_t)count + 1, bytes + i, count, false);
        } else {
            memcpy(out + written, bytes + i, count);
            written += count;
        }
        i += count;
    }
    *consumed = i;
    return written;
}

char *cli_terminal_line(const char *text)
{
    size_t length = strlen(text), consumed;
    char *line = malloc(3 * length + 1);

    if (line != NULL)
        line[cli_terminal_escape(line, text, length, false, true, &consumed)] = '\0';
    return line;
}
