/* Standard output and standard error of the command. Output to a terminal is escaped
 * (cli/terminal.h), other output is unchanged. Writes to a non-blocking descriptor wait until it is
 * writable; the errno of the first failed write is kept. One thread. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

/* Call at start, before anything opens a descriptor or prints: sets up inherited descriptors and
 * signals (base/inherit.h) and replaces both streams. */
void cli_output_open(void);

/* Flushes. 0, or the errno of the first write to standard output that failed. */
int cli_output_close(void);

/* True if standard output is a pipe or socket whose reader has exited. */
bool cli_output_is_closed(void);

/* Terminates the process by SIGPIPE; returns if SIGPIPE was ignored at start. */
void cli_output_raise_sigpipe(void);

/* True if this is standard output or standard error, and a terminal. */
bool cli_output_is_terminal(const FILE *out);

/* Prints text from outside the command; on a terminal it is escaped to one line. */
void cli_put(FILE *out, const char *text);

/* Writes to standard error without escaping: the progress line. */
void cli_output_raw(const char *text);

#endif
