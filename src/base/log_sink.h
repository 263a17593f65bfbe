/* Writes lines to the log file or stderr without blocking on the reader. If a pipe or terminal is
 * full, the line is dropped and counted. */
#ifndef BASE_LOG_SINK_H
#define BASE_LOG_SINK_H

#include <limits.h>
#include <stddef.h>

/* Writes of up to this size to a pipe are atomic (pipe(7)). */
enum { LOG_LINE_SIZE = PIPE_BUF };

/* Any thread. */
void log_sink_write(const char *line, size_t length);

#endif
