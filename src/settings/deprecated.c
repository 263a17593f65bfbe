#include "settings/deprecated.h"

#include "settings/settings.h"

#include <string.h>

/* {section, name, new section and name or NULL, why it was removed, rejected from} */
static const struct settings_deprecated_key rows[] = {
    {"inbox", "redo-log-mib", NULL, NULL, "small files share a sync without it", "0.4"},
    {.section = NULL}, /* the end */
};

const struct settings_deprecated_key *settings_deprecated = rows;
unsigned settings_deprecated_count = sizeof rows / sizeof *rows - 1;

_Static_assert(sizeof rows / sizeof *rows - 1 <= SETTINGS_DEPRECATED_MAX,
               "SETTINGS_DEPRECATED_MAX is too small");

bool settings_deprecated_find(const char *section, const char *name, unsigned *index)
{
    for (unsigned i = 0; i < settings_deprecated_count; i++)
        if (strcmp(settings_deprecated[i].section, section) == 0 &&
            strcmp(settings_deprecated[i].name, name) == 0) {
            *index = i;
            return true;
        }
    return false;
}

const char *settings_deprecated_find_section(const char *name)
{
    for (unsigned i = 0; i < settings_deprecated_count; i++)
        if (strcmp(settings_deprecated[i].section, name) == 0)
            return settings_deprecated[i].section;
    return NULL;
}
