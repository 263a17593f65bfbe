#include "base/utf8.h"

#include <criterion/criterion.h>
#include <string.h>

Test(utf8, one_character_is_decoded, .timeout = 5)
{
    static const struct {
        const char *name, *bytes;
        size_t length;
        unsigned result;
        uint32_t code;
    } rows[] = {
        {"NUL", "\0", 1, 1, 0},
        {"a letter", "a", 1, 1, 'a'},
        {"a letter before others", "abc", 3, 1, 'a'},
        {"delete", "\x7f", 1, 1, 0x7f},
        {"the first of two bytes", "\xc2\x80", 2, 2, 0x80},
        {"an umlaut", "\xc3\xa4", 2, 2, 0xe4},
        {"the last of two bytes", "\xdf\xbf", 2, 2, 0x7ff},
        {"the first of three bytes", "\xe0\xa0\x80", 3, 3, 0x800},
        {"before the surrogates", "\xed\x9f\xbf", 3, 3, 0xd7ff},
        {"behind the surrogates", "\xee\x80\x80", 3, 3, 0xe000},
        {"a noncharacter", "\xef\xbf\xbf", 3, 3, 0xffff},
        {"the first of four bytes", "\xf0\x90\x80\x80", 4, 4, 0x10000},
        {"an emoji", "\xf0\x9f\x98\x80", 4, 4, 0x1f600},
        {"the last code point", "\xf4\x8f\xbf\xbf", 4, 4, 0x10ffff},
        {"a lone continuation", "\x80", 1, UTF8_INVALID, 0},
        {"an overlong slash", "\xc0\xaf", 2, UTF8_INVALID, 0},
        {"an overlong of three", "\xe0\x9f\xbf", 3, UTF8_INVALID, 0},
        {"an overlong of four", "\xf0\x8f\xbf\xbf", 4, UTF8_INVALID, 0},
        {"the first surrogate", "\xed\xa0\x80", 3, UTF8_INVALID, 0},
        {"the last surrogate", "\xed\xbf\xbf", 3, UTF8_INVALID, 0},
        {"beyond the last", "\xf4\x90\x80\x80", 4, UTF8_INVALID, 0},
        {"five bytes", "\xf8\x88\x80\x80\x80", 5, UTF8_INVALID, 0},
        {"0xff", "\xff", 1, UTF8_INVALID, 0},
        {"a letter in it", "\xe2\x82z", 3, UTF8_INVALID, 0},
        {"one of two", "\xc3", 1, UTF8_TRUNCATED, 0},
        {"two of three", "\xe2\x82", 2, UTF8_TRUNCATED, 0},
        {"three of four", "\xf0\x9f\x98", 3, UTF8_TRUNCATED, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint32_t code = 0;

        cr_assert_eq(utf8_decode(&code, rows[i].bytes, rows[i].length), rows[i].result, "%s",
                     rows[i].name);
        cr_assert_eq(code, rows[i].code, "%s: %x", rows[i].name, (unsigned)code);
    }
}

Test(utf8, every_character_round_trips, .timeout = 10)
{
    for (uint32_t code = 0; code <= 0x10ffff; code++) {
        uint32_t back = UINT32_MAX;
        char bytes[UTF8_SIZE_MAX];
        size_t length;

        if (code == 0xd800)
            code = 0xe000;
        length = utf8_encode(bytes, code);
        cr_assert_eq(utf8_decode(&back, bytes, length), length, "%x", (unsigned)code);
        cr_assert_eq(back, code);
    }
}

Test(utf8, it_is_distinguished_from_other_bytes, .timeout = 5)
{
    static const struct {
        const char *text;
        size_t length, valid;
    } rows[] = {
        {"", 0, 0},
        {"plain", 5, 5},
        {"\n\x1b", 2, 2},
        {"\xc3\xa4", 2, 2},
        {"\xef\xbf\xbd", 3, 3},
        {"\xf0\x9f\x98\x80", 4, 4},
        {"\xf4\x8f\xbf\xbf", 4, 4},
        {"a\0b", 3, 1},
        {"\xff", 1, 0},
        {"\xc3", 1, 0},
        {"ab\xe2\x82", 4, 2},
        {"\xc0\x80", 2, 0},
        {"\xed\xbf\xbf", 3, 0},
        {"\xf0\x80\x80\x80", 4, 0},
        {"\xf5\x80\x80\x80", 4, 0},
        {"a\x80", 2, 1},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_assert_eq(utf8_valid_length(rows[i].text, rows[i].length), rows[i].valid, "row %zu", i);
}
