/* Escapes text for a terminal: control, bidirectional and zero-width characters and invalid UTF-8
 * are percent-encoded ("%1B"), so that text from outside cannot control the terminal or be spoofed.
 * Pure. */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>

/* Escapes `bytes` up to an incomplete UTF-8 sequence at their end (at most 3 bytes), or with
 * `is_end` all of them. `out` has 3 * length + 1 bytes, since a NUL may be appended. Returns the
 * length written; `*consumed` is the length consumed. With `keeps_lines` newlines and tabs are
 * kept.
 */
size_t cli_terminal_escape(char *out, const char *bytes, size_t length, bool keeps_lines,
                           bool is_end, size_t *consumed);

/* Escapes a whole text to one line; malloc, NULL if out of memory. */
char *cli_terminal_line(const char *text);

#endif
