/* Reads and writes the settings files for a change at run time, and describes the change. The
 * supervisor applies the result. Runs in the thread of the settings files. */
#ifndef SUPERVISOR_RELOAD_H
#define SUPERVISOR_RELOAD_H

#include "settings/settings.h"

#include <stdbool.h>
#include <stddef.h>

/* Reads the settings file again. ERR_OK: `*after` holds the settings to apply (without what needs a
 * restart), `*change` what they require, and `text` lists the changes and what needs a restart.
 * Otherwise `text` lists the problems, and the settings in force stay. One line per item. */
enum err supervisor_reload_read(const struct settings_paths *paths,
                                const struct settings_in_force *before,
                                struct settings_in_force *after, struct settings_change *change,
                                char *text, size_t room);

/* Sets `name` to `value` (settings/persisted.h) and writes it to the file of 'dustwire set'.
 * ERR_OK: as above. Otherwise nothing has changed, no file either, and `text` is the reason:
 * ERR_NOT_FOUND: unknown setting; ERR_INVALID: bad value; any other: the file cannot be written. */
enum err supervisor_reload_set(const char *name, const char *value,
                               const struct settings_in_force *before,
                               struct settings_in_force *after, struct settings_change *change,
                               char *text, size_t room);

/* Removes what was set for `name`. As above; also ERR_EXISTS if it was not set, with `text` saying
 * so and `*after`, `*change` without a change; ERR_INVALID if the settings file cannot be read now.
 */
enum err supervisor_reload_unset(const char *name, const struct settings_paths *paths,
                                 const struct settings_in_force *before,
                                 struct settings_in_force *after, struct settings_change *change,
                                 char *text, size_t room);

#endif
