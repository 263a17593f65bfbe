/* The log file ([log] file): limited in size, and reopened when it is moved away.
 *
 * Any thread writes lines without a lock: all use one descriptor number, and a new file is moved to
 * it with dup3. Once per second a write checks whether the path still names the file; a write that
 * exceeds the limit rotates: PATH is renamed to PATH.1. If another thread is rotating or reopening,
 * a thread skips it. */
#ifndef BASE_LOG_FILE_H
#define BASE_LOG_FILE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Called once per errno if the file cannot be reopened, from any thread that writes a line; can
 * log.
 */
typedef void log_file_error_fn(const char *path, int error_number);

/* Once, before other threads exist. Creates the file if necessary; a symbolic link is followed, a
 * FIFO or device is never rotated. On an error `problem` is a sentence. */
enum err log_file_open(const char *path, log_file_error_fn *on_error, char *problem, size_t room);

/* Any thread. False if the log goes to stderr. */
bool log_file_is_open(void);
/* Any thread, with the file open. False: the line is lost. */
bool log_file_write(const char *line, size_t length);
/* Any thread. Reopens the path, as after a rename. */
void log_file_reopen(void);
/* Any thread. 0: no rotation, as with an external logrotate. */
void log_file_set_limit(uint64_t bytes);

#endif
