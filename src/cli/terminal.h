/* Text for a terminal: control characters, what reorders text (bidi), what has no width and bytes
 * that are no UTF-8 stand percent-escaped ("%1B"), so that nothing that came from elsewhere steers
 * the terminal or looks like something else. Pure. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* The longest prefix of `bytes` that can be judged goes to `out`, of 3 * length + 1 bytes (a NUL
 * may be written behind it); returns the length written and how much was taken. What remains, at
 * most 3 bytes, is the beginning of a character; with `is_end` nothing remains. With `keeps_lines`
 * a newline and a tab stay. */
size_t cli_terminal_escape(char *out, const char *bytes, size_t length, bool keeps_lines,
                           bool is_end, size_t *taken);

/* A whole text on one line; malloc, NULL without memory. */
char *cli_terminal_line(const char *text);

#endif
