/* Reads the settings file again and says in words what a change means. Changes nothing itself: the
 * supervisor puts what comes out into force. Supervisor thread only. */
#ifndef TRANSPORT_RELOAD_H
#define TRANSPORT_RELOAD_H

#include "settings/settings.h"

#include <stdbool.h>
#include <stddef.h>

/* ERR_OK: `*after` is what comes into force (without what needs a restart) and `*change` what that
 * asks for; `text` says what changes and what needs a restart, a line each. Otherwise `text` holds
 * the problems, a line each, and the settings in force stay. */
enum err reload_read(const char *path, const struct settings *before, struct settings *after,
                     struct settings_change *change, char *text, size_t room);

#endif
