/* For error messages about unknown sections and keys: the most similar name, and lists of the valid
 * ones. */
#ifndef SETTINGS_NAMES_H
#define SETTINGS_NAMES_H

struct settings_row;

/* The most similar section; NULL if none is similar enough. */
const char *settings_names_section(const char *name);

/* The key of exactly this name in any section, else the most similar one in `section`; NULL if none
 * is similar enough. */
const struct settings_row *settings_names_key(const char *section, const char *name);

enum { SETTINGS_NAMES_SIZE = 512 };
/* "[workers], [log]": all sections, or with `key` those that have it ("" for none); returns `to`.
 */
const char *settings_names_sections(char to[SETTINGS_NAMES_SIZE], const char *key);
/* "threads, mailbox-limit"; returns `to`. */
const char *settings_names_keys(char to[SETTINGS_NAMES_SIZE], const char *section);

#endif
