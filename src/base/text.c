#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum err text_copy(char *to, size_t room, const char *from)
{
    size_t length = strlen(from);

    if (length >= room) {
        if (room > 0)
            to[0] = '\0';
        return ERR_TOO_LARGE;
    }
    memcpy(to, from, length + 1);
    return ERR_OK;
}

enum err text_format(char *to, size_t room, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(to, room, format, args);
    va_end(args);
    if (length < 0 || (size_t)length >= room) {
        if (room > 0)
            to[0] = '\0';
        return ERR_TOO_LARGE;
    }
    return ERR_OK;
}

char *text_dup(const void *bytes, size_t length)
{
    char *copy = malloc(length + 1);

    if (copy == NULL)
        return NULL;
    if (length > 0)
        memcpy(copy, bytes, length);
    copy[length] = '\0';
    return copy;
}

enum err text_to_u64(uint64_t *out, const char *text, uint64_t max)
{
    uint64_t value = 0;

    if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
        return ERR_INVALID;
    for (const char *at = text; *at != '\0'; at++) {
        unsigned digit = (unsigned)(unsigned char)*at - '0';

        if (digit > 9 || digit > max || value > (max - digit) / 10)
            return ERR_INVALID;
        value = value * 10 + digit;
    }
    *out = value;
    return ERR_OK;
}

static bool is_printable(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7f;
}

bool text_is_printable(const void *bytes, size_t length)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < length; i++)
        if (!is_printable(at[i]))
            return false;
    return true;
}

size_t text_escape(char *to, size_t room, const void *bytes, size_t length, bool no_spaces)
{
    static const char digits[] = "0123456789ABCDEF";
    const unsigned char *at = bytes;
    size_t end = 0;

    if (room == 0)
        return 0;
    for (size_t i = 0; i < length; i++) {
        bool is_plain = is_printable(at[i]) && at[i] != '%' && !(no_spaces && at[i] == ' ');

        if (end + (is_plain ? 1u : 3u) >= room)
            break;
        if (is_plain) {
            to[end++] = (char)at[i];
        } else {
            to[end++] = '%';
            to[end++] = digits[at[i] >> 4];
            to[end++] = digits[at[i] & 15];
        }
    }
    to[end] = '\0';
    return end;
}

static int hex_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return -1;
}

enum err text_unescape(char *to, size_t room, size_t *length, const char *text)
{
    size_t end = 0;

    while (*text != '\0') {
        if (end + 1 >= room)
            return ERR_TOO_LARGE;
        if (*text == '%') {
            int high = hex_value(text[1]), low = high < 0 ? -1 : hex_value(text[2]);

            if (low < 0)
                return ERR_INVALID;
            to[end++] = (char)(high * 16 + low);
            text += 3;
        } else {
            to[end++] = *text++;
        }
    }
    if (room == 0)
        return ERR_TOO_LARGE;
    to[end] = '\0';
    *length = end;
    return ERR_OK;
}

const char *text_size(char to[TEXT_SIZE_ROOM], uint64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double amount = (double)bytes;
    unsigned unit = 0;

    /* a value that would round to 1024.0 is printed in the next unit */
    while (amount >= 1023.95 && unit + 1 < sizeof units / sizeof *units) {
        amount /= 1024;
        unit++;
    }
    snprintf(to, TEXT_SIZE_ROOM, unit == 0 ? "%.0f %s" : "%.1f %s", amount, units[unit]);
    return to;
}
