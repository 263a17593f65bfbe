/* The kinds of values: each parses its text strictly and prints text that parses to the same value.
 */
#ifndef SETTINGS_KIND_H
#define SETTINGS_KIND_H

#include "settings/row.h"

enum {
    /* iniparser rejects a line of 1,023 bytes and more */
    SETTINGS_LINE_MAX = 1020,
};

extern const struct settings_kind settings_kind_bool, settings_kind_number, settings_kind_port,
    settings_kind_threads, settings_kind_idurl, settings_kind_host, settings_kind_listen,
    settings_kind_networks, settings_kind_idurls, settings_kind_path, settings_kind_optional_path,
    settings_kind_endpoint, settings_kind_gateway_url, settings_kind_token,
    settings_kind_durability, settings_kind_level, settings_kind_group, settings_kind_mode,
    settings_kind_roots;

/* Helpers for the kinds: the field of a row, rejection with a reason, text fields. */
void *settings_kind_field(const struct settings_row *row, struct settings *s);
const void *settings_kind_const_field(const struct settings_row *row, const struct settings *s);
enum err settings_kind_reject(char why[SETTINGS_WHY_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));
enum err settings_kind_take_text(const struct settings_row *row, struct settings *s,
                                 const char *text, char why[SETTINGS_WHY_SIZE]);
enum err settings_kind_print_text(const struct settings_row *row, const struct settings *s,
                                  char *to, size_t room);

/* The value of `row` in `s`, quoted if necessary. A value read from a file always fits. */
enum { SETTINGS_VALUE_SIZE = SETTINGS_LINE_MAX + 8 };
const char *settings_kind_text(char to[SETTINGS_VALUE_SIZE], const struct settings_row *row,
                               const struct settings *s);

/* Parses one value and checks that it can be printed again. */
enum err settings_kind_read(const struct settings_row *row, struct settings *s, const char *text,
                            char why[SETTINGS_WHY_SIZE]);

/* True if both have the same value, secret or not. */
bool settings_kind_is_same(const struct settings_row *row, const struct settings *a,
                           const struct settings *b);

#endif
