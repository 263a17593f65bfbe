#include "settings/formers.h"

#include "settings/settings.h"

#include <string.h>

/* {section, name, the section and name it has now or NULL, why it went, refused from} */
static const struct settings_former rows[] = {
    {"inbox", "redo-log-mib", NULL, NULL, "small files share a sync without it", "0.4"},
    {.section = NULL}, /* the end */
};

const struct settings_former *settings_formers = rows;
unsigned settings_formers_count = sizeof rows / sizeof *rows - 1;

_Static_assert(sizeof rows / sizeof *rows - 1 <= SETTINGS_FORMERS_MAX,
               "SETTINGS_FORMERS_MAX is too small");

bool settings_formers_find(const char *section, const char *name, unsigned *index)
{
    for (unsigned i = 0; i < settings_formers_count; i++)
        if (strcmp(settings_formers[i].section, section) == 0 &&
            strcmp(settings_formers[i].name, name) == 0) {
            *index = i;
            return true;
        }
    return false;
}

const char *settings_formers_find_section(const char *name)
{
    for (unsigned i = 0; i < settings_formers_count; i++)
        if (strcmp(settings_formers[i].section, name) == 0)
            return settings_formers[i].section;
    return NULL;
}
