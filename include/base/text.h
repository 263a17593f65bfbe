/* Bounded copying, formatting and escaping of text, and strict parsing of numbers. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Any thread. Copies `from` with its NUL. ERR_TOO_LARGE if it does not fit: `to` is then "". */
enum err text_copy(char *to, size_t room, const char *from);

/* Any thread. snprintf that returns ERR_TOO_LARGE instead of truncating: `to` is then "". */
enum err text_format(char *to, size_t room, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Any thread. Copies `length` bytes and adds a NUL. NULL without memory. The caller frees. */
char *text_dup(const void *bytes, size_t length);

/* Any thread. Parses a decimal number: digits only (no sign, no space, no leading zero), at most
 * `max`. Otherwise ERR_INVALID and `*out` is unchanged. */
enum err text_to_u64(uint64_t *out, const char *text, uint64_t max);

/* Any thread. True if each byte is printable ASCII, space included. */
bool text_is_printable(const void *bytes, size_t length);

/* Any thread. Percent-escapes (RFC 3986 style, "%0A") all bytes but printable ASCII, and '%', for
 * untrusted text in log lines, events and XML documents. With `no_spaces` a space is escaped too,
 * for records with fields. Truncates at `room` after a whole escape and always adds a NUL. Returns
 * the length written. 3 * length + 1 bytes are always enough. */
size_t text_escape(char *to, size_t room, const void *bytes, size_t length, bool no_spaces);

/* Any thread. Reverses text_escape. `*length` is the number of bytes written to `to`, without the
 * NUL. ERR_INVALID for an invalid escape, ERR_TOO_LARGE if it does not fit. */
enum err text_unescape(char *to, size_t room, size_t *length, const char *text);

/* Any thread. "1.5 GiB", "12 B" into `to`; returns `to`. */
enum { TEXT_SIZE_ROOM = 16 };
const char *text_size(char to[TEXT_SIZE_ROOM], uint64_t bytes);

#endif
