/* Reads the settings file again and says in words what a change means. Changes nothing itself: the
 * supervisor puts what comes out into force. Supervisor thread only. */
#ifndef SUPERVISOR_RELOAD_H
#define SUPERVISOR_RELOAD_H

#include "settings/settings.h"

#include <stdbool.h>
#include <stddef.h>

/* ERR_OK: `*after` is what comes into force (without what needs a restart) and `*change` what that
 * asks for; `text` says what changes and what needs a restart, a line each. Otherwise `text` holds
 * the problems, a line each, and the settings in force stay. */
enum err supervisor_reload_read(const struct settings_paths *paths,
                                const struct settings_in_force *before,
                                struct settings_in_force *after, struct settings_change *change,
                                char *text, size_t room);

/* Takes `value` for `name` (settings_own.h) and writes it to the daemon's own file. ERR_OK: as
 * above. Otherwise nothing has changed, in no file either: ERR_NOT_FOUND there is no such setting,
 * ERR_INVALID the value is bad, anything else the file cannot be written; `text` says so. */
enum err supervisor_reload_set(const char *name, const char *value,
                               const struct settings_in_force *before,
                               struct settings_in_force *after, struct settings_change *change,
                               char *text, size_t room);

/* Takes back what was set for `name`. As above; also ERR_OK, and `text` says so, if it was not set;
 * ERR_INVALID also if the settings file cannot be read now. */
enum err supervisor_reload_unset(const char *name, const struct settings_paths *paths,
                                 const struct settings_in_force *before,
                                 struct settings_in_force *after, struct settings_change *change,
                                 char *text, size_t room);

#endif
