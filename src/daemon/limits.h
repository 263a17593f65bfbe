/* The limits of the process (ulimit), against what the settings promise. Main thread, at start. */
#ifndef DAEMON_LIMITS_H
#define DAEMON_LIMITS_H

#include "base/err.h"
#include "settings/settings.h"

/* As many descriptors as we may have: each session and each open file is one. */
void limits_raise_descriptors(void);

/* Limits that are below what the settings promise: nothing fails by them now, and whoever meets one
 * later is to find its cause in the log. */
void limits_log(const struct settings *s);

/* Sessions, files and those who ask for a status need some beside what is open by now. A daemon
 * without would be there and answer nobody: ERR_DESCRIPTORS, and the log says what to do. */
enum err limits_check_spare_descriptors(void);

#endif
