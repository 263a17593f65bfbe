#include "settings/names.h"

#include "base/text.h"
#include "settings/table.h"

#include <stdbool.h>
#include <string.h>

enum { EDITS_MAX = 2 }; /* edit distance at which a name is still similar */

static unsigned least_of(unsigned a, unsigned b, unsigned c)
{
    unsigned least = a < b ? a : b;

    return least < c ? least : c;
}

/* Levenshtein distance. */
static unsigned distance(const char *a, const char *b)
{
    enum { LONGEST = 48 };
    unsigned row[LONGEST + 1];
    size_t length = strlen(b);

    if (strlen(a) > LONGEST || length > LONGEST)
        return LONGEST;
    for (unsigned i = 0; i <= length; i++)
        row[i] = i;
    for (unsigned i = 1; *a != '\0'; a++, i++) {
        unsigned diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            unsigned above = row[j];

            row[j] = least_of(above + 1, row[j - 1] + 1, diagonal + (*a != b[j - 1]));
            diagonal = above;
        }
    }
    return row[length];
}

/* More letters must match than differ, otherwise nearly any short name would be similar. */
static bool is_near(const char *name, const char *known)
{
    unsigned wrong = distance(name, known);

    return wrong <= EDITS_MAX && wrong + wrong < strlen(name);
}

const char *settings_names_section(const char *name)
{
    const char *nearest = settings_table[0].section;

    for (unsigned i = 1; i < settings_table_count; i++)
        if (distance(name, settings_table[i].section) < distance(name, nearest))
            nearest = settings_table[i].section;
    return is_near(name, nearest) ? nearest : NULL;
}

static const struct settings_row *nearest_key(const char *section, const char *name)
{
    const struct settings_row *nearest = NULL;

    for (unsigned i = 0; i < settings_table_count; i++) {
        const struct settings_row *row = &settings_table[i];

        if (strcmp(row->section, section) == 0 &&
            (nearest == NULL || distance(name, row->name) < distance(name, nearest->name)))
            nearest = row;
    }
    return nearest;
}

const struct settings_row *settings_names_key(const char *section, const char *name)
{
    const struct settings_row *nearest = nearest_key(section, name);

    for (unsigned i = 0; i < settings_table_count; i++)
        if (strcmp(settings_table[i].name, name) == 0)
            return &settings_table[i];
    return nearest != NULL && is_near(name, nearest->name) ? nearest : NULL;
}

/* Appends to a comma-separated list; a name that does not fit is omitted. */
static void add(char to[SETTINGS_NAMES_SIZE], const char *open, const char *name, const char *close)
{
    size_t used = strlen(to);

    text_format(to + used, SETTINGS_NAMES_SIZE - used, "%s%s%s%s", used == 0 ? "" : ", ", open,
                name, close);
}

/* The keys of a section are adjacent in the table. */
static bool begins_section(unsigned i)
{
    return i == 0 || strcmp(settings_table[i].section, settings_table[i - 1].section) != 0;
}

const char *settings_names_sections(char to[SETTINGS_NAMES_SIZE], const char *key)
{
    to[0] = '\0';
    for (unsigned i = 0; i < settings_table_count; i++)
        if (key == NULL ? begins_section(i) : strcmp(settings_table[i].name, key) == 0)
            add(to, "[", settings_table[i].section, "]");
    return to;
}

const char *settings_names_keys(char to[SETTINGS_NAMES_SIZE], const char *section)
{
    to[0] = '\0';
    for (unsigned i = 0; i < settings_table_count; i++)
        if (strcmp(settings_table[i].section, section) == 0)
            add(to, "", settings_table[i].name, "");
    return to;
}
