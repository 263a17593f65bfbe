/* The log as a file of its own ([log] file): bounded, and found again when somebody moves it away.
 *
 * Lines are written by any thread, without a lock: all use one descriptor, and a new file is put
 * under its number (dup3) while they write. One line in a second looks whether the file still has
 * its name; the line that goes beyond the limit turns the file: PATH becomes PATH.1, the one before
 * goes. Whoever finds another thread at either leaves it to that. */
#ifndef BASE_LOG_FILE_H
#define BASE_LOG_FILE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Told once for each reason: the file could not be opened anew, so the old one is written on. From
 * any thread that writes a line; may write one itself. */
typedef void log_file_trouble_fn(const char *path, int error_number);

/* Once, before there are other threads. Makes the file if there is none; a link is followed, a FIFO
 * or device is written and never turned. Else `problem` is a sentence. */
enum err log_file_open(const char *path, log_file_trouble_fn *trouble, char *problem, size_t room);

/* Any thread; false if there is no log file, all lines go to stderr. */
bool log_file_is_open(void);
/* Any thread, with one open. False: the line is lost. */
bool log_file_write(const char *line, size_t length);
/* Any thread. Opens the path anew, as after a rename. */
void log_file_reopen(void);
/* Any thread. 0: whoever else turns it (logrotate) has to. */
void log_file_set_limit(uint64_t bytes);

#endif
