/* A row of the table: all that the project knows of a key. Reading, checking, printing and
 * comparing walk the table and know no key by name. */
#ifndef SETTINGS_ROW_H
#define SETTINGS_ROW_H

#include "settings/settings.h"

#include <stddef.h>
#include <stdint.h>

enum settings_row_change { CHANGE_AT_ONCE, CHANGE_RECONNECTS, CHANGE_RESTARTS };

struct settings_row;

struct settings_kind {
    /* Takes the value into `s`. ERR_INVALID: then `why` completes "must be ..." or says what is
     * wrong, and the field may hold anything. */
    enum err (*read)(const struct settings_row *row, struct settings *s, const char *text,
                     char why[SETTINGS_WHY_SIZE]);
    /* The value as text that `read` takes back; ERR_TOO_LARGE if it does not fit. */
    enum err (*print)(const struct settings_row *row, const struct settings *s, char *to,
                      size_t room);
    const char *allowed; /* for people; NULL: the numbers of the row */
    bool is_quoted;      /* printed in quotes, so that no '#' or ';' cuts it */
    bool is_secret;      /* never printed */
};

struct settings_row {
    const char *section, *name;
    const struct settings_kind *kind;
    size_t offset;        /* of the field, or of the first of several */
    const char *fallback; /* the default, as text */
    uint64_t least, most; /* numbers; texts: the longest */
    const char *unit;     /* "" without one */
    enum settings_row_change change;
    const char *meaning; /* one sentence */
    bool is_settable;    /* while the daemon runs: settings_own.h */
};

#endif
