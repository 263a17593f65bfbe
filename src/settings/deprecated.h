/* Deprecated keys: renamed or removed since an earlier release. */
#ifndef SETTINGS_DEPRECATED_H
#define SETTINGS_DEPRECATED_H

#include <stdbool.h>

/* Accepted with a warning for two releases after the one that renamed or removed the key; then its
 * row is deleted. */
struct settings_deprecated_key {
    const char *section, *name;
    const char *new_section, *new_name; /* NULL: removed without a replacement */
    const char *why;         /* of a removed key: "small files share a sync without it" */
    const char *rejected_in; /* the release that rejects it: "0.4" */
};

/* A pointer, because tests install their own table; nothing else writes it. */
extern const struct settings_deprecated_key *settings_deprecated;
extern unsigned settings_deprecated_count;

/* False if the key is not deprecated; `*index` is its index in settings_deprecated. */
bool settings_deprecated_find(const char *section, const char *name, unsigned *index);
/* The name of a section that only deprecated keys have, as in their table; or NULL. */
const char *settings_deprecated_find_section(const char *name);

#endif
