/* What a process was started with and did not choose: closed standard descriptors, blocked and
 * ignored signals. At the beginning of main, before there is any other thread. */
#ifndef BASE_INHERIT_H
#define BASE_INHERIT_H

#include <signal.h>
#include <stdbool.h>

/* Fills each of the descriptors 0 to 2 that is closed, so that no socket or file gets its number
 * and is taken for input or output. What fills it cannot be used the way its number is: reading 0,
 * writing 1 or 2 fails as it does on a closed one, and so can be noticed. */
void inherit_fill_standard(void);

/* Flushes standard output. 0, or the errno why some of what was printed is lost: a program that was
 * asked for text has failed then, however well it did the rest. */
int inherit_flush_output(void);

/* Exactly the signals of `blocked` (NULL: none) are blocked. One that was ignored has its default
 * action again, but for those that are ignored on purpose: SIGINT and SIGQUIT (a shell does it for
 * a command in the background), SIGHUP (nohup) and the stops of job control. SIGPIPE and SIGXFSZ
 * are ignored from here on: a write that they are about fails with EPIPE or EFBIG instead. */
void inherit_settle_signals(const sigset_t *blocked);

/* True if `number` is ignored now: who would take it after inherit_settle_signals leaves it so. */
bool inherit_is_ignored(int number);

/* Those that inherit_settle_signals ignores: a program that we start must get their default action
 * back (posix_spawnattr_setsigdefault). */
void inherit_ignored_by_us(sigset_t *out);

#endif
