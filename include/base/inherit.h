/* State inherited from the parent process: closed standard descriptors, blocked and ignored
 * signals. Call at the beginning of main, before any other thread exists. */
#ifndef BASE_INHERIT_H
#define BASE_INHERIT_H

#include <signal.h>
#include <stdbool.h>

/* Opens a placeholder for each closed descriptor from 0 to 2, so that no socket or file gets its
 * number. Reading from a placeholder 0 and writing to 1 or 2 fails, as on a closed descriptor. */
void inherit_fill_standard(void);

/* Flushes standard output. Returns 0, or the errno if output was lost; the program then must report
 * failure. */
int inherit_flush_output(void);

/* Blocks exactly the signals of `blocked` (NULL: none). Resets ignored signals to their default
 * action, except those ignored on purpose: SIGINT and SIGQUIT (background jobs of a shell), SIGHUP
 * (nohup) and the stop signals of job control. Ignores SIGPIPE and SIGXFSZ: the write fails with
 * EPIPE or EFBIG instead. */
void inherit_reset_signals(const sigset_t *blocked);

/* True if signal `number` is ignored. A handler must not be installed then. */
bool inherit_is_ignored(int number);

/* The signals that inherit_reset_signals ignores: pass them to posix_spawnattr_setsigdefault for a
 * child process. */
void inherit_ignored_signals(sigset_t *out);

#endif
