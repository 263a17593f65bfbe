/* The settings file of the daemon's own: the few keys that can be set while it runs, what they are
 * now, and writing them down. Reading it is settings_load's. Nothing here is kept; calls block on
 * the disk. */
#ifndef SETTINGS_SETTINGS_OWN_H
#define SETTINGS_SETTINGS_OWN_H

#include "base/err.h"
#include "settings/settings.h"

enum { SETTINGS_OWN_TEXT_SIZE = 2 * SETTINGS_TEXT_SIZE, SETTINGS_OWN_MAX = 8 };

/* One of the keys, as it is in force. Texts are constants but for those in arrays. */
struct settings_own_key {
    const char *section, *name;
    const char *meaning;
    char value[64];
    char allowed[96];                    /* "true or false", "1 to 65535" */
    char origin[SETTINGS_OWN_TEXT_SIZE]; /* "the default", "FILE, line 3", ... */
};
/* Fills in all, in order; returns how many. */
unsigned settings_own_list(struct settings_own_key out[SETTINGS_OWN_MAX], const struct settings *s,
                           const struct settings_origins *origins);

/* True if `wanted` means the key: "tcp-port" or "services/tcp-connections/tcp-port". */
bool settings_own_is_named(const char *section, const char *name, const char *wanted);

/* For a `wanted` that is none of them: a sentence that names them all. */
void settings_own_say_unknown(const char *wanted, char problem[SETTINGS_OWN_TEXT_SIZE]);

/* Takes `value` for `name` (as above) into `s` and notes
 * in `origins` that it was set. ERR_NOT_FOUND, ERR_INVALID: nothing has changed and `problem` is a
 * sentence. */
enum err settings_own_set(struct settings *s, struct settings_origins *origins, const char *name,
                          const char *value, char problem[SETTINGS_OWN_TEXT_SIZE]);

/* Takes back what was set for `name`: the value and its origin are those of `files`, which is what
 * the operator's file says without our own. ERR_NOT_FOUND as above; ERR_EXISTS: it was not set, and
 * `problem` says where it comes from. */
enum err settings_own_unset(struct settings_in_force *in_force,
                            const struct settings_in_force *files, const char *name,
                            char problem[SETTINGS_OWN_TEXT_SIZE]);

/* The same as settings_own_set for any key, "section/key", as the gateway's; it is not written
 * down. */
enum err settings_override(struct settings_in_force *in_force, const char *key, const char *value,
                           char problem[SETTINGS_OWN_TEXT_SIZE]);

/* Writes what has been set to origins->own: a new file beside it, synced, then renamed over it. An
 * error leaves the old file as it was, and `problem` is a sentence. */
enum err settings_own_write(const struct settings *s, const struct settings_origins *origins,
                            char problem[SETTINGS_OWN_TEXT_SIZE]);

#endif
