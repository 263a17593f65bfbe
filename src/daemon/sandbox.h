/* The privileges that the daemon drops, however it is started: first new privileges and all
 * capabilities; then, before the threads start (they inherit it), access to every file that it does
 * not need, by Landlock where the kernel has it. The system call filter is left to the unit. */
#ifndef DAEMON_SANDBOX_H
#define DAEMON_SANDBOX_H

#include "settings/settings.h"

struct sandbox {
    char text[512]; /* the restrictions in force, for the log and `status` */
};

/* Before anything is opened: joins the groups of the settings as supplementary groups (if allowed
 * to), then drops privileges. CAP_NET_BIND_SERVICE is kept if the settings name a port below 1024.
 * ERR_NOT_FOUND: no such group; logged. */
enum err sandbox_drop(struct sandbox *sandbox, const struct settings *s);

/* After every room is open and before any thread starts: from here on only files in the settings'
 * directories can be opened. Never fails: a missing restriction is named in the text. */
void sandbox_confine(struct sandbox *sandbox, const struct settings_in_force *in_force);

#endif
