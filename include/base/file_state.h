/* Whether a file that is read is still what it was when it was opened: two results of fstat(2)
 * compared. What it cannot tell: bytes written through a mapping (mmap) to a page that was dirty
 * before; who writes, sets the time of modification back and changes name or rights as well; what
 * another machine does to a network file system before its attributes arrive here. */
#ifndef BASE_FILE_STATE_H
#define BASE_FILE_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

/* Any thread. False if the content may be another than at `before`. Growing counts, so does a time
 * of modification that was set back. Another name, link, mode or owner alone does not. `path` is
 * the name by which it was opened: it is looked at if only the time of the last change moved, for
 * nothing but another name may be the reason then. */
bool file_state_is_same(const struct stat *before, const struct stat *now, const char *path);

/* Any thread. Files get the time of the last tick of the clock, so a second change within the tick
 * of the first leaves the same time. From `file_state_settles_in_ms` later on every change shows
 * (0: it does so now); `now` is file_state_clock. Ask again then. Up to two seconds on file systems
 * with coarse times. */
uint64_t file_state_settles_in_ms(const struct stat *state, struct timespec now);

/* The clock that a file changed now would get its times from. */
struct timespec file_state_clock(void);

#endif
