#include "settings/settings.h"

#include "settings/deprecated.h"
#include "settings/table.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Keys that a release before this one may have had. */
static const struct settings_deprecated_key formers[] = {
    {"node", "name", "node", "host", "", "0.9"},
    {"sessions", "speed", "bandwidth", "in-kib-per-s", "", "0.9"},
    {"services/tcp-connections", "port", "services/tcp-connections", "tcp-port", "", "0.9"},
    {"inbox", "swap-mib", NULL, NULL, "nothing is swapped", "0.9"},
    {"swap", "path", "inbox", "path", "", "0.9"},
    {"swap", "size", NULL, NULL, "nothing is swapped", "0.9"},
};

static char folder[64], path[128];
static struct settings s;
static struct settings_origins origins;
static char problems[8192], warnings[8192];

static void set_up(void)
{
    snprintf(folder, sizeof folder, "/tmp/settings-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file.ini", folder);
    settings_deprecated = formers;
    settings_deprecated_count = sizeof formers / sizeof *formers;
}

static void clean_up(void)
{
    unlink(path);
    rmdir(folder);
}

static void note(void *ctx, const char *sentence)
{
    char *to = ctx;
    size_t used = strlen(to);

    snprintf(to + used, sizeof problems - used, "%s\n", sentence);
}

static enum err read_text(const char *text)
{
    FILE *out = fopen(path, "w");

    fputs(text, out);
    fclose(out);
    problems[0] = warnings[0] = '\0';
    return settings_load(&s, &origins, &(struct settings_paths){.file = path, .persisted = ""},
                         note, problems);
}

static const struct {
    const char *text;
    const char *warnings; /* a part of the only sentence; "" if there is none */
    const char *key;      /* "section/key = value" in force, or NULL: nothing but defaults */
} accepted[] = {
    {"[node]\nname = a.example\n", "line 2: [node] name is deprecated: rename it to [node] host",
     "node/host = \"a.example\""},
    {"[node]\nNAME=a.example", "release 0.9 will reject the old name", "node/host = \"a.example\""},
    {"[node]\nhost = b.example\n", "", "node/host = \"b.example\""},
    {"[sessions]\nspeed = 77\nlimit = 16384\n",
     "[sessions] speed is deprecated: rename it to [bandwidth] in-kib",
     "bandwidth/in-kib-per-s = 77"},
    {"[sessions]\nspeed = \"77\" # a comment\n", "line 2", "bandwidth/in-kib-per-s = 77"},
    {"[services/tcp-connections]\nport = 7000\n", "[services/tcp-connections] tcp-port",
     "services/tcp-connections/tcp-port = 7000"},
    {"[inbox]\nswap-mib = 1\n", "has no effect (nothing is swapped): remove the line", NULL},
    {"[inbox]\nswap-mib = what ever # was there\n", "line 2: [inbox] swap-mib", NULL},
    {"[inbox]\nswap-mib =\n", "release 0.9 will reject it", NULL},
    {"[swap]\nsize = 3\n[log]\nlevel = info\n", "line 2: [swap] size has no effect", NULL},
    {"[swap]\npath = \"/srv/in\"\n", "[swap] path is deprecated: rename it to [inbox] path",
     "inbox/path = \"/srv/in\""},
    {"\n\n[SWAP]\npath = /srv/in\n", "line 4", "inbox/path = \"/srv/in\""},
};

static void check_taken(unsigned row)
{
    char in_force[4096] = "";

    cr_assert_eq(read_text(accepted[row].text), ERR_OK, "%s: %s", accepted[row].text, problems);
    cr_assert_str_empty(problems);
    settings_warn(&s, &origins, note, warnings);
    cr_assert_not_null(strstr(warnings, accepted[row].warnings), "%s: %s", accepted[row].text,
                       warnings);
    cr_assert_eq(strlen(accepted[row].warnings) == 0, strlen(warnings) == 0, "%s", warnings);
    settings_print_changed(&s, note, in_force);
    cr_assert_eq(accepted[row].key == NULL, strlen(in_force) == 0, "%s: %s", accepted[row].text,
                 in_force);
    cr_assert(accepted[row].key == NULL || strstr(in_force, accepted[row].key) == in_force,
              "%s: %s", accepted[row].text, in_force);
}

Test(settings_deprecated, are_accepted_with_a_warning, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    for (unsigned i = 0; i < sizeof accepted / sizeof *accepted; i++)
        check_taken(i);
}

static const struct {
    const char *text, *problem;
} refused[] = {
    {"[node]\nname = a\nname = b\n", "line 3: duplicate key [node] name, first in line 2"},
    {"[node]\nhost = a\nname = b\n",
     "line 3: [node] name is the old name of [node] host in line 2"},
    {"[node]\nname = a\nhost = b\n", "line 3: duplicate key [node] host, first in line 2"},
    {"[sessions]\nspeed = fast\n", "[bandwidth] in-kib-per-s = fast"},
    {"[sessions]\nspeed = 1;2\n", "line 2: [sessions] speed = 1;2: '#' or ';' begins a comment"},
    {"[inbox]\nswap-mib = 1\nswap-mib = 1\n", "line 3: duplicate key [inbox] swap-mib"},
    {"[swap]\nsizes = 3\n", "unknown key 'sizes' in [swap]"},
    {"[log]\nswap-mib = 3\n", "unknown key 'swap-mib' in [log]"},
    {"[services/tcp-connections]\nport = 70000\n", "line 2: [services/tcp-connections] tcp-port"},
    {"swap-mib = 3\n", "before the first [section]"},
    {"[swap\npath = /srv/in\n", "invalid section header"},
};

Test(settings_deprecated, are_checked_as_every_key, .init = set_up, .fini = clean_up, .timeout = 5)
{
    for (unsigned i = 0; i < sizeof refused / sizeof *refused; i++) {
        cr_assert_eq(read_text(refused[i].text), ERR_INVALID, "%s", refused[i].text);
        cr_assert_not_null(strstr(problems, refused[i].problem), "%s: %s", refused[i].text,
                           problems);
        cr_assert_eq(strchr(problems, '\n') + 1 - problems, (ptrdiff_t)strlen(problems), "%s: %s",
                     refused[i].text, problems);
    }
}

/* What the table has of this release itself. */
Test(settings_deprecated, are_distinct_from_the_current_keys, .timeout = 5)
{
    cr_assert_leq(settings_deprecated_count, (unsigned)SETTINGS_DEPRECATED_MAX);
    for (unsigned f = 0; f < settings_deprecated_count; f++)
        for (unsigned i = 0; i < settings_table_count; i++)
            cr_assert(strcmp(settings_deprecated[f].section, settings_table[i].section) != 0 ||
                          strcmp(settings_deprecated[f].name, settings_table[i].name) != 0,
                      "%s", settings_deprecated[f].name);
}
