/* The settings file written by `dustwire set`: lists and changes the keys that can be set while the
 * daemon runs, and writes the file. settings_load reads it. No state is kept here; calls block on
 * the disk. */
#ifndef SETTINGS_PERSISTED_H
#define SETTINGS_PERSISTED_H

#include "base/err.h"
#include "settings/settings.h"

enum { SETTINGS_PERSISTED_TEXT_SIZE = 2 * SETTINGS_TEXT_SIZE, SETTINGS_PERSISTED_MAX = 8 };

/* One of the keys with its effective value. The pointers are to constants. */
struct settings_persisted_key {
    const char *section, *name;
    const char *meaning;
    char value[64];
    char allowed[96];                          /* "true or false", "1 to 65535" */
    char origin[SETTINGS_PERSISTED_TEXT_SIZE]; /* "the default", "FILE, line 3", ... */
};
/* Fills in all of them, in the order of the table; returns the count. */
unsigned settings_persisted_list(struct settings_persisted_key out[SETTINGS_PERSISTED_MAX],
                                 const struct settings *s, const struct settings_origins *origins);

/* True if `wanted` names the key: "tcp-port" or "services/tcp-connections/tcp-port". */
bool settings_persisted_is_named(const char *section, const char *name, const char *wanted);

/* Writes the sentence for an unknown key `wanted`; it lists the valid ones. */
void settings_persisted_explain_unknown(const char *wanted,
                                        char problem[SETTINGS_PERSISTED_TEXT_SIZE]);

/* Sets key `name` (as above) in `s` to `value` and records the origin in `origins`. ERR_NOT_FOUND,
 * ERR_INVALID: nothing has changed and `problem` is a sentence. */
enum err settings_persisted_set(struct settings *s, struct settings_origins *origins,
                                const char *name, const char *value,
                                char problem[SETTINGS_PERSISTED_TEXT_SIZE]);

/* Resets key `name` to its value and origin in `files`, the settings without the persisted file.
 * ERR_NOT_FOUND as above; ERR_EXISTS: it was not set, and `problem` names its origin. */
enum err settings_persisted_unset(struct settings_in_force *in_force,
                                  const struct settings_in_force *files, const char *name,
                                  char problem[SETTINGS_PERSISTED_TEXT_SIZE]);

/* Sets any key, "section/key", on behalf of the gateway. The value is not persisted. */
enum err settings_override(struct settings_in_force *in_force, const char *key, const char *value,
                           char problem[SETTINGS_PERSISTED_TEXT_SIZE]);

/* Writes the keys that were set to origins->persisted atomically (new file, fsync, rename). On an
 * error the old file is unchanged and `problem` is a sentence. */
enum err settings_persisted_write(const struct settings *s, const struct settings_origins *origins,
                                  char problem[SETTINGS_PERSISTED_TEXT_SIZE]);

#endif
