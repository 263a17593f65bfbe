/* A row of the table: everything about one key. Reading, validating, printing and comparing iterate
 * over the table; none of them refers to a key by name. */
#ifndef SETTINGS_ROW_H
#define SETTINGS_ROW_H

#include "settings/settings.h"

#include <stddef.h>
#include <stdint.h>

enum settings_row_change { CHANGE_AT_ONCE, CHANGE_RECONNECTS, CHANGE_RESTARTS };

struct settings_row;

struct settings_kind {
    /* Parses the value into `s`. ERR_INVALID: `why` is the reason, to be printed after "KEY =
     * VALUE:
     * ", and the field is undefined. */
    enum err (*read)(const struct settings_row *row, struct settings *s, const char *text,
                     char why[SETTINGS_WHY_SIZE]);
    /* The value as text that `read` parses; ERR_TOO_LARGE if it does not fit. */
    enum err (*print)(const struct settings_row *row, const struct settings *s, char *to,
                      size_t room);
    const char *allowed; /* for people; NULL: the numbers of the row */
    bool is_quoted;      /* printed in quotes, because '#' and ';' begin a comment */
    bool is_secret;      /* never printed */
};

struct settings_row {
    const char *section, *name;
    const struct settings_kind *kind;
    size_t offset;        /* of the field, or of the first of several */
    const char *fallback; /* the default, as text */
    uint64_t min, max;    /* of a number; of a text: `max` is its maximum length */
    const char *unit;     /* "": none */
    enum settings_row_change change;
    const char *meaning; /* one sentence */
    bool is_settable;    /* at runtime: persisted.h */
};

#endif
