/* The one list of keys: a row of the table is all that the project knows of a key. Reading,
 * checking, printing and comparing walk the table and know no key by name. */
#ifndef SETTINGS_SETTINGS_PRIV_H
#define SETTINGS_SETTINGS_PRIV_H

#include "settings/settings.h"

#include <stddef.h>
#include <stdint.h>

enum {
    /* iniparser gives up on a line of 1,023 bytes and more */
    SETTINGS_LINE_MAX = 1020,
};

/* The first line of each file that we print or write; one of a newer version is refused. A key that
 * is new needs none: who does not know it says so. It is for what would be taken wrongly. */
#define SETTINGS_VERSION_MARK "# dustwired settings, version "
enum { SETTINGS_VERSION = 1 };

enum setting_change { CHANGE_AT_ONCE, CHANGE_RECONNECTS, CHANGE_RESTARTS };

struct setting;

struct setting_kind {
    /* Takes the value into `s`. ERR_INVALID: then `why` completes "must be ..." or says what is
     * wrong, and the field may hold anything. */
    enum err (*read)(const struct setting *row, struct settings *s, const char *text,
                     char why[SETTINGS_WHY_SIZE]);
    /* The value as text that `read` takes back; ERR_TOO_LARGE if it does not fit. */
    enum err (*print)(const struct setting *row, const struct settings *s, char *to, size_t room);
    const char *allowed; /* for people; NULL: the numbers of the row */
    bool is_quoted;      /* printed in quotes, so that no '#' or ';' cuts it */
    bool is_secret;      /* never printed */
};

struct setting {
    const char *section, *name;
    const struct setting_kind *kind;
    size_t offset;        /* of the field, or of the first of several */
    const char *fallback; /* the default, as text */
    uint64_t least, most; /* numbers; texts: the longest */
    const char *unit;     /* "" without one */
    enum setting_change change;
    const char *meaning; /* one sentence */
    bool is_settable;    /* while the daemon runs: settings_own.h */
};

extern const struct setting settings_rows[];
extern const unsigned settings_row_count;

/* A key of an earlier release. For two releases after the one that renamed it or took it away its
 * line is accepted, with a warning; then its row goes. */
struct setting_former {
    const char *section, *name;
    const char *now_section, *now_name; /* NULL: nothing took its place */
    const char *why;                    /* then a clause: "small files share a sync without it" */
    const char *refused_from;           /* the release that knows it no more: "0.4" */
};

/* A pointer, so that the tests can bring a table of their own; nothing else writes it. */
extern const struct setting_former *settings_formers;
extern unsigned settings_former_count;

/* False if there is none; `*index` is that of settings_formers. */
bool setting_find_former(const char *section, const char *name, unsigned *index);
/* The section's name as the table has it, if only keys of earlier releases were in it; or NULL. */
const char *setting_find_former_section(const char *name);

/* The kinds of values. */
extern const struct setting_kind kind_bool, kind_number, kind_port, kind_threads, kind_idurl,
    kind_host, kind_listen, kind_networks, kind_idurls, kind_path, kind_own_path, kind_endpoint,
    kind_gateway_url, kind_token, kind_durability, kind_level, kind_group, kind_mode, kind_roots;

/* For the kinds: the field of the row, a refusal with its reason, texts. */
void *setting_field(const struct setting *row, struct settings *s);
const void *setting_const_field(const struct setting *row, const struct settings *s);
enum err setting_refuse(char why[SETTINGS_WHY_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum err setting_take_text(const struct setting *row, struct settings *s, const char *text,
                           char why[SETTINGS_WHY_SIZE]);
enum err setting_print_text(const struct setting *row, const struct settings *s, char *to,
                            size_t room);

/* The value of `row` in `s`, with quotes if it needs them. A value read from a file always fits. */
enum { SETTINGS_VALUE_SIZE = SETTINGS_LINE_MAX + 8 };
const char *setting_text(char to[SETTINGS_VALUE_SIZE], const struct setting *row,
                         const struct settings *s);

/* "FILE, line 3", "the default": where the value of the row with this index comes from. */
enum { SETTINGS_ORIGIN_SIZE = SETTINGS_TEXT_SIZE + 32 };
const char *setting_origin_text(char to[SETTINGS_ORIGIN_SIZE],
                                const struct settings_origins *origins, unsigned index);

/* Notes where the value of the row with this index comes from, and what it goes over. */
void setting_note_origin(struct settings_origins *origins, unsigned index,
                         struct settings_place place);

/* Reads one value, and makes sure that it can be printed again. */
enum err setting_read(const struct setting *row, struct settings *s, const char *text,
                      char why[SETTINGS_WHY_SIZE]);

#endif
