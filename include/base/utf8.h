/* UTF-8 (RFC 3629): validation, decoding and encoding of one character. Which characters are
 * allowed is up to the caller. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

enum { UTF8_SIZE_MAX = 4, UTF8_INVALID = 0, UTF8_TRUNCATED = UTF8_SIZE_MAX + 1 };

/* Any thread. Decodes the character at the start of `bytes` (at least one byte) to `*code`. Returns
 * its length (1 to UTF8_SIZE_MAX), UTF8_INVALID for an overlong form, a surrogate, a code point
 * beyond U+10FFFF and any other invalid sequence, UTF8_TRUNCATED if `length` ends within it. */
unsigned utf8_decode(uint32_t *code, const void *bytes, size_t length);

/* Any thread. Writes the character and returns its length. */
size_t utf8_encode(char to[UTF8_SIZE_MAX], uint32_t code);

/* Any thread. The length of the longest prefix that is valid UTF-8 without NUL. */
size_t utf8_valid_length(const void *bytes, size_t length);

#endif
