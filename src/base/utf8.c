#include "base/utf8.h"

enum { CODE_MOST = 0x10ffff };

/* The length of a sequence by its first byte. */
static unsigned sequence_length(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first <= 0xdf)
        return 2;
    if (first >= 0xe0 && first <= 0xef)
        return 3;
    return first >= 0xf0 && first <= 0xf4 ? 4 : UTF8_INVALID;
}

unsigned utf8_decode(uint32_t *code, const void *bytes, size_t length)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *at = bytes;
    unsigned count = sequence_length(at[0]);
    uint32_t value;

    if (count == UTF8_INVALID)
        return UTF8_INVALID;
    if (count == 1) {
        *code = at[0];
        return 1;
    }
    value = at[0] & (0x7fu >> count);
    for (unsigned i = 1; i < count; i++) {
        if (i == length)
            return UTF8_TRUNCATED;
        if ((at[i] & 0xc0) != 0x80)
            return UTF8_INVALID;
        value = value << 6 | (at[i] & 0x3fu);
    }
    if (value < least[count] || value > CODE_MOST || (value >= 0xd800 && value <= 0xdfff))
        return UTF8_INVALID;
    *code = value;
    return count;
}

size_t utf8_encode(char to[UTF8_SIZE_MAX], uint32_t code)
{
    static const uint32_t ends[] = {0x80, 0x800, 0x10000};
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t length = 1;

    while (length < UTF8_SIZE_MAX && code >= ends[length - 1])
        length++;
    for (size_t i = length; i > 1; i--, code >>= 6)
        to[i - 1] = (char)(0x80 | (code & 0x3f));
    to[0] = (char)(marks[length] | code);
    return length;
}

size_t utf8_valid_length(const void *bytes, size_t length)
{
    const unsigned char *at = bytes;
    size_t i = 0;

    while (i < length && at[i] != 0) {
        uint32_t code;
        unsigned count = at[i] < 0x80 ? 1 : utf8_decode(&code, at + i, length - i);

        if (count == UTF8_INVALID || count == UTF8_TRUNCATED)
            break;
        i += count;
    }
    return i;
}
