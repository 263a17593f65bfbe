/* Names of sections and keys that are not in the table: the one that was meant, if one comes near,
 * and those there are. */
#ifndef SETTINGS_NAMES_H
#define SETTINGS_NAMES_H

struct settings_row;

/* NULL if no section comes near. */
const char *settings_names_section(const char *name);

/* In the section first; a key that is exactly one of another section was put into the wrong one.
 * NULL if none comes near. */
const struct settings_row *settings_names_key(const char *section, const char *name);

enum { NAMES_SIZE = 512 };
/* "[workers], [log]": all, or with a `key` those that have it, "" for none; returns `to`. */
const char *settings_names_sections(char to[NAMES_SIZE], const char *key);
/* "threads, mailbox-limit"; returns `to`. */
const char *settings_names_keys(char to[NAMES_SIZE], const char *section);

#endif
