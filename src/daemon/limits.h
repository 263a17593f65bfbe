/* The process's resource limits (ulimit), compared with the settings. Main thread, at start. */
#ifndef DAEMON_LIMITS_H
#define DAEMON_LIMITS_H

#include "base/err.h"
#include "settings/settings.h"

/* Raises the soft limit of descriptors to the hard limit: each session and open file needs one. */
void limits_raise_descriptors(void);

/* Logs limits that are below what the settings allow. Nothing fails now; a later failure then has
 * its cause in the log. */
void limits_log(const struct settings *s);

/* Checks that descriptors are left for sessions, files and control connections: without any the
 * daemon would run and serve no one. Otherwise ERR_DESCRIPTORS, and the log says what to do. */
enum err limits_check_spare_descriptors(void);

#endif
