/* Standard output and standard error of the command. What was inherited decides how they behave: a
 * terminal gets text only (cli_terminal.h), anything else the very bytes; a descriptor that does
 * not wait (O_NONBLOCK) is waited for; the first reason why output was lost is kept. One thread. */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

/* At start, before anything opens a descriptor or prints: settles what was inherited
 * (base/inherit.h) and takes over both streams. */
void cli_output_open(void);

/* Flushes. 0, or the errno of the first write to standard output that failed. */
int cli_output_close(void);

/* True if nobody will ever read standard output (a closed pipe). */
bool cli_output_is_gone(void);

/* Ends the process as a program that writes to a closed pipe ends, unless whoever started us
 * ignores SIGPIPE: then it returns. */
void cli_output_die_of_pipe(void);

/* True if this is standard output or standard error, and a terminal. */
bool cli_output_is_terminal(const FILE *out);

/* A name or a sentence from elsewhere: on a terminal it stays one line. */
void cli_put(FILE *out, const char *text);

/* To the terminal of standard error as it is: the progress line. */
void cli_output_raw(const char *text);

#endif
