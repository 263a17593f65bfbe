#include "base/text.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

Test(text, copies_completely_or_not_at_all, .timeout = 5)
{
    char to[4] = "???";

    cr_assert_eq(text_copy(to, sizeof to, "abc"), ERR_OK);
    cr_assert_str_eq(to, "abc");
    cr_assert_eq(text_copy(to, sizeof to, "abcd"), ERR_TOO_LARGE);
    cr_assert_str_eq(to, "");
    cr_assert_eq(text_copy(to, 0, ""), ERR_TOO_LARGE);
    cr_assert_eq(text_copy(to, 1, ""), ERR_OK);
}

Test(text, formats_completely_or_not_at_all, .timeout = 5)
{
    char to[4] = "???";

    cr_assert_eq(text_format(to, sizeof to, "%d", 123), ERR_OK);
    cr_assert_str_eq(to, "123");
    cr_assert_eq(text_format(to, sizeof to, "%d", 1234), ERR_TOO_LARGE);
    cr_assert_str_eq(to, "");
    cr_assert_eq(text_format(NULL, 0, "x"), ERR_TOO_LARGE);
}

Test(text, duplicates_bytes_with_a_nul_behind, .timeout = 5)
{
    char *copy = text_dup("ab\0cd", 5);

    cr_assert_not_null(copy);
    cr_assert_arr_eq(copy, "ab\0cd", 6);
    free(copy);
    copy = text_dup(NULL, 0);
    cr_assert_str_empty(copy);
    free(copy);
}

Test(text, reads_numbers_strictly, .timeout = 5)
{
    static const char *const bad[] = {"",    "-1",  "+1",  " 1",  "1 ",
                                      "01",  "00",  "1x",  "x",   "0x1",
                                      "1.0", "1_0", "256", "999", "18446744073709551616"};
    uint64_t value = 77;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(text_to_u64(&value, bad[i], 255), ERR_INVALID, "'%s'", bad[i]);
        cr_assert_eq(value, 77u, "untouched");
    }
    cr_assert(text_to_u64(&value, "0", 255) == ERR_OK && value == 0);
    cr_assert(text_to_u64(&value, "0", 0) == ERR_OK && value == 0);
    cr_assert(text_to_u64(&value, "255", 255) == ERR_OK && value == 255);
    cr_assert_eq(text_to_u64(&value, "5", 4), ERR_INVALID);
    cr_assert_eq(text_to_u64(&value, "1", 0), ERR_INVALID);
    cr_assert_eq(text_to_u64(&value, "18446744073709551615", UINT64_MAX), ERR_OK);
    cr_assert_eq(value, UINT64_MAX);
    cr_assert_eq(text_to_u64(&value, "18446744073709551616", UINT64_MAX), ERR_INVALID);
    cr_assert_eq(text_to_u64(&value, "99999999999999999999", UINT64_MAX), ERR_INVALID);
}

Test(text, recognises_printable_text, .timeout = 5)
{
    cr_assert(text_is_printable("a ~", 3));
    cr_assert(text_is_printable(NULL, 0));
    cr_assert_not(text_is_printable("a\n", 2));
    cr_assert_not(text_is_printable("\x7f", 1));
    cr_assert_not(text_is_printable("\0", 1));
    cr_assert_not(text_is_printable("\xc3\xa4", 2));
}

Test(text, escapes_what_could_harm_a_line, .timeout = 5)
{
    char to[64];

    cr_assert_eq(text_escape(to, sizeof to, "a b%\n\0\xff", 7, false), 15u);
    cr_assert_str_eq(to, "a b%25%0A%00%FF");
    cr_assert_eq(text_escape(to, sizeof to, "a b", 3, true), 5u);
    cr_assert_str_eq(to, "a%20b");
    cr_assert_eq(text_escape(to, sizeof to, "", 0, true), 0u);
    cr_assert_str_empty(to);
}

Test(text, cuts_only_between_escapes, .timeout = 5)
{
    char to[7];

    cr_assert_eq(text_escape(to, sizeof to, "\1\2\3", 3, false), 6u);
    cr_assert_str_eq(to, "%01%02");
    cr_assert_eq(text_escape(to, 6, "\1\2\3", 3, false), 3u);
    cr_assert_str_eq(to, "%01");
    cr_assert_eq(text_escape(to, 1, "abc", 3, false), 0u);
    cr_assert_str_empty(to);
    cr_assert_eq(text_escape(to, 0, "abc", 3, false), 0u);
}

Test(text, unescapes_every_byte_that_it_escapes, .timeout = 5)
{
    unsigned char all[256];
    char escaped[3 * sizeof all + 1], back[sizeof all + 1];
    size_t length;

    for (unsigned i = 0; i < sizeof all; i++)
        all[i] = (unsigned char)i;
    for (unsigned no_spaces = 0; no_spaces < 2; no_spaces++) {
        length = text_escape(escaped, sizeof escaped, all, sizeof all, no_spaces);
        cr_assert_eq(length, strlen(escaped));
        cr_assert(text_is_printable(escaped, length));
        cr_assert_eq(strchr(escaped, ' ') == NULL, no_spaces == 1);
        cr_assert_eq(text_unescape(back, sizeof back, &length, escaped), ERR_OK);
        cr_assert_eq(length, sizeof all);
        cr_assert_arr_eq(back, all, sizeof all);
    }
    memset(all, 0xff, sizeof all);
    cr_assert_eq(text_escape(escaped, sizeof escaped, all, sizeof all, false), 3 * sizeof all);
}

Test(text, rejects_invalid_escapes, .timeout = 5)
{
    static const char *const bad[] = {"%", "a%1", "%g0", "%0g", "%%25", "% 1"};
    char to[8];
    size_t length;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(text_unescape(to, sizeof to, &length, bad[i]), ERR_INVALID, "%s", bad[i]);
    cr_assert_eq(text_unescape(to, 3, &length, "%41%42"), ERR_OK);
    cr_assert_str_eq(to, "AB");
    cr_assert_eq(text_unescape(to, 3, &length, "abc"), ERR_TOO_LARGE);
    cr_assert_eq(text_unescape(to, 0, &length, ""), ERR_TOO_LARGE);
    cr_assert_eq(text_unescape(to, 4, &length, "%4a%4A"), ERR_OK);
    cr_assert_str_eq(to, "JJ");
}

Test(text, formats_sizes_with_binary_units, .timeout = 5)
{
    char to[TEXT_SIZE_ROOM];

    cr_assert_str_eq(text_size(to, 0), "0 B");
    cr_assert_str_eq(text_size(to, 1023), "1023 B");
    cr_assert_str_eq(text_size(to, 1024), "1.0 KiB");
    cr_assert_str_eq(text_size(to, 1536), "1.5 KiB");
    cr_assert_str_eq(text_size(to, 1ull << 30), "1.0 GiB");
    cr_assert_str_eq(text_size(to, (1ull << 20) - 1), "1.0 MiB", "never 1024.0 KiB");
    cr_assert_str_eq(text_size(to, UINT64_MAX), "16.0 EiB");
}
