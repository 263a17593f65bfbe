/* Where lines go: the log file, or stderr, without ever waiting for whoever reads it. A pipe or
 * terminal that is full loses the line, which is counted. */
#ifndef BASE_LOG_SINK_H
#define BASE_LOG_SINK_H

#include <limits.h>
#include <stddef.h>

/* So long a line goes into a pipe whole or not at all (pipe(7)). */
enum { LOG_LINE_SIZE = PIPE_BUF };

/* Any thread. */
void log_sink_write(const char *line, size_t length);

#endif
