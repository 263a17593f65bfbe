/* UTF-8 (RFC 3629): telling it from other bytes, reading and writing one character. What a document
 * or a terminal may hold of it is the caller's concern. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum { UTF8_SIZE_MAX = 4, UTF8_INVALID = 0, UTF8_TRUNCATED = UTF8_SIZE_MAX + 1 };

/* Any thread. The character at the start of `bytes`, of which there is at least one: its length
 * (1 to UTF8_SIZE_MAX), UTF8_INVALID for an overlong form, a surrogate, a code point beyond
 * U+10FFFF and anything else that is no UTF-8, UTF8_TRUNCATED if `length` ends within it. `*code`
 * is set if it is a character. */
unsigned utf8_decode(uint32_t *code, const void *bytes, size_t length);

/* Any thread. Writes the character and returns its length. */
size_t utf8_encode(char to[UTF8_SIZE_MAX], uint32_t code);

/* Any thread. The length of the longest prefix that is whole UTF-8 without NUL: `length` if all of
 * it is. */
size_t utf8_valid_length(const void *bytes, size_t length);

#endif
