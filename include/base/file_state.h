/* Detects by two results of fstat(2) whether a file changed while it was read. Not detected: writes
 * through mmap to a page that was dirty before; a write whose author resets the modification time
 * and also changes name or permissions; writes by another machine to a network file system before
 * its attributes arrive here. */
#ifndef BASE_FILE_STATE_H
#define BASE_FILE_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <time.h>

/* Any thread. False if the content can differ from that at `before`: another size or modification
 * time. A change of name, links, mode or owner alone does not count. `path` is the name by which
 * the file was opened: it is checked if only the change time differs, because a rename causes that
 * too.
 */
bool file_state_is_same(const struct stat *before, const struct stat *now, const char *path);

/* Any thread. Milliseconds until further changes are detectable (0: now). File times have the
 * granularity of the clock's tick, so a second change within a tick leaves the same time; `now` is
 * file_state_clock. Check again after that. Up to two seconds on file systems with coarse times. */
uint64_t file_state_settles_in_ms(const struct stat *state, struct timespec now);

/* The clock from which the kernel sets file times. */
struct timespec file_state_clock(void);

#endif
