/* The settings as text: a file that parses to the same values, and lists for people. */
#include "settings/settings.h"

#include "settings/kind.h"
#include "settings/origin.h"
#include "settings/table.h"

#include <string.h>

static void print_allowed(const struct settings_row *row, FILE *out)
{
    if (row->kind->allowed != NULL)
        fprintf(out, "%s", row->kind->allowed);
    else
        fprintf(out, "%s%llu to %llu%s%s", row->kind == &settings_kind_threads ? "auto or " : "",
                (unsigned long long)row->min, (unsigned long long)row->max,
                row->unit[0] == '\0' ? "" : " ", row->unit);
}

static void print_value(const struct settings_row *row, const struct settings *s, FILE *out)
{
    char value[SETTINGS_VALUE_SIZE];

    settings_kind_text(value, row, s);
    if (row->kind->is_secret && strcmp(value, "\"\"") != 0)
        fprintf(out, "# %s = (set, not shown)\n", row->name);
    else
        fprintf(out, "%s = %s\n", row->name, value);
}

static void print_row(unsigned index, const struct settings *s,
                      const struct settings_origins *origins, FILE *out)
{
    const struct settings_row *row = &settings_table[index];
    char origin[SETTINGS_ORIGIN_SIZE];

    fprintf(out, "\n# %s\n# ", row->meaning);
    print_allowed(row, out);
    fprintf(out, "; default %s", row->fallback[0] == '\0' ? "empty" : row->fallback);
    if (row->change == CHANGE_RESTARTS)
        fprintf(out, "; a change needs a restart");
    else if (row->change == CHANGE_RECONNECTS)
        fprintf(out, "; a change restarts the transport");
    if (origins != NULL)
        fprintf(out, "\n# from %s", settings_origin_text(origin, origins, index));
    putc('\n', out);
    print_value(row, s, out);
}

static bool opens_section(unsigned index)
{
    return index == 0 ||
           strcmp(settings_table[index].section, settings_table[index - 1].section) != 0;
}

void settings_print(const struct settings *s, const struct settings_origins *origins, FILE *out)
{
    fprintf(out, SETTINGS_VERSION_MARK "%d\n", (int)SETTINGS_VERSION);
    fputs(
        "# Settings of dustwired. Every key is optional; a missing key has its default value.\n"
        "# Check a modified file before use: dustwired --config FILE --check-config\n"
        "# A comment is a line of its own; text containing '#' or ';' must be in double quotes.\n",
        out);
    for (unsigned i = 0; i < settings_table_count; i++) {
        if (opens_section(i))
            fprintf(out, "\n[%s]\n", settings_table[i].section);
        print_row(i, s, origins, out);
    }
}

void settings_print_changed(const struct settings *s, settings_problem_fn *line, void *ctx)
{
    struct settings defaults;
    char value[SETTINGS_VALUE_SIZE], sentence[SETTINGS_VALUE_SIZE + 128];

    settings_default(&defaults);
    for (unsigned i = 0; i < settings_table_count; i++) {
        const struct settings_row *row = &settings_table[i];

        if (settings_kind_is_same(row, s, &defaults))
            continue;
        snprintf(sentence, sizeof sentence, "%s/%s = %s", row->section, row->name,
                 row->kind->is_secret ? "(set, not shown)" : settings_kind_text(value, row, s));
        line(ctx, sentence);
    }
}

static bool holds_limits(const char *section)
{
    static const char *const sections[] = {"sessions", "access", "bandwidth", "inbox", "log"};

    for (unsigned i = 0; i < sizeof sections / sizeof *sections; i++)
        if (strcmp(section, sections[i]) == 0)
            return true;
    return false;
}

void settings_each_limit(const struct settings *s, settings_limit_fn *each, void *ctx)
{
    char value[SETTINGS_VALUE_SIZE];

    for (unsigned i = 0; i < settings_table_count; i++)
        if (holds_limits(settings_table[i].section))
            each(ctx, settings_table[i].section, settings_table[i].name,
                 settings_kind_text(value, &settings_table[i], s));
}
