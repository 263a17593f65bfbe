/* What the daemon gives up of its own accord, whoever starts it: at first every way to more rights
 * and every capability, then, before the threads start (they inherit it), every file that it does
 * not need, by Landlock where the kernel has it. The system call filter is the unit's business. */
#ifndef DAEMON_SANDBOX_H
#define DAEMON_SANDBOX_H

#include "settings/settings.h"

struct sandbox {
    char text[512]; /* what is in force, for the log and `status` */
};

/* First of all: takes the groups of the settings as supplementary ones (if it may), then drops.
 * CAP_NET_BIND_SERVICE stays if the settings name a port below 1024. ERR_NOT_FOUND: there is no
 * such group; has been logged. */
enum err sandbox_drop(struct sandbox *sandbox, const struct settings *s);

/* Once everything below is opened and made, before any thread: only the settings' folders can be
 * opened from here on. Never fails: what could not be had is said in the text. */
void sandbox_confine(struct sandbox *sandbox, const struct settings_in_force *in_force);

#endif
