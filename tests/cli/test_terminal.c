#include "cli/terminal.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Test(cli_terminal, unsafe_characters_are_escaped, .timeout = 5)
{
    static const struct {
        const char *name, *text, *shown;
    } rows[] = {
        {"plain", "report 1.txt", "report 1.txt"},
        {"a percent sign", "50% of it", "50% of it"},
        {"umlauts", "\xc3\xbc\xc3\x84", "\xc3\xbc\xc3\x84"},
        {"beyond the BMP", "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
        {"the last code point", "\xf4\x8f\xbf\xbd", "\xf4\x8f\xbf\xbd"},
        {"newline", "a\nb", "a%0Ab"},
        {"carriage return", "a\rb", "a%0Db"},
        {"tab", "a\tb", "a%09b"},
        {"escape sequence", "\x1b[2J", "%1B[2J"},
        {"delete", "\x7f", "%7F"},
        {"C1: CSI",
         "\xc2\x9b"
         "1m",
         "%C2%9B1m"},
        {"soft hyphen", "\xc2\xad", "%C2%AD"},
        {"zero-width space", "a\xe2\x80\x8b", "a%E2%80%8B"},
        {"zero-width joiner", "\xe2\x80\x8d", "%E2%80%8D"},
        {"right-to-left mark", "\xe2\x80\x8f", "%E2%80%8F"},
        {"right-to-left override",
         "\xe2\x80\xae"
         "gpj",
         "%E2%80%AEgpj"},
        {"isolate", "\xe2\x81\xa7", "%E2%81%A7"},
        {"line separator", "\xe2\x80\xa8", "%E2%80%A8"},
        {"Arabic letter mark", "\xd8\x9c", "%D8%9C"},
        {"word joiner", "\xe2\x81\xa0", "%E2%81%A0"},
        {"byte order mark", "\xef\xbb\xbf", "%EF%BB%BF"},
        {"variation selector", "\xef\xb8\x8f", "%EF%B8%8F"},
        {"tag character", "\xf3\xa0\x81\x81", "%F3%A0%81%81"},
        {"hangul filler", "\xe3\x85\xa4", "%E3%85%A4"},
        {"not UTF-8", "\xff\xfe", "%FF%FE"},
        {"Latin-1", "caf\xe9.txt", "caf%E9.txt"},
        {"overlong slash", "\xc0\xaf", "%C0%AF"},
        {"overlong of three", "\xe0\x80\xaf", "%E0%80%AF"},
        {"surrogate", "\xed\xa0\x80", "%ED%A0%80"},
        {"too large", "\xf4\x90\x80\x80", "%F4%90%80%80"},
        {"cut off at the end", "a\xe2\x82", "a%E2%82"},
        {"a lone continuation",
         "\x80"
         "a",
         "%80a"},
        {"empty", "", ""},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *line = cli_terminal_line(rows[i].text);

        cr_assert_str_eq(line, rows[i].shown, "%s: %s", rows[i].name, line);
        free(line);
    }
}

Test(cli_terminal, a_stream_keeps_newlines_and_split_characters_stay_whole, .timeout = 5)
{
    static const char text[] = "a\n\xe2\x82\xac\t\xf0\x9f\x98\x80\x1b\xc3";
    static const char shown[] = "a\n\xe2\x82\xac\t\xf0\x9f\x98\x80%1B%C3";
    size_t length = sizeof text - 1;

    for (size_t cut = 0; cut <= length; cut++) {
        char out[3 * sizeof text];
        size_t consumed, more, written;

        written = cli_terminal_escape(out, text, cut, true, false, &consumed);
        cr_assert_leq(cut - consumed, 3, "%zu", cut);
        written += cli_terminal_escape(out + written, text + consumed, length - consumed, true,
                                       true, &more);
        cr_assert_eq(consumed + more, length);
        out[written] = '\0';
        cr_assert_str_eq(out, shown, "%zu", cut);
    }
}
