#include "settings/settings.h"

#include "settings/settings_priv.h"

#include "base/contract.h"
#include "base/cpus.h"
#include "base/text.h"

#include <string.h>

enum { WORKERS_MAX = 256 };

bool network_list_contains(const struct network_list *list, const struct address *address)
{
    for (unsigned i = 0; i < list->count; i++)
        if (network_contains(&list->networks[i], address))
            return true;
    return false;
}

void settings_default(struct settings *out)
{
    char why[SETTINGS_WHY_SIZE];

    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < settings_row_count; i++)
        CONTRACT(setting_read(&settings_rows[i], out, settings_rows[i].fallback, why) == ERR_OK);
}

static void print_allowed(const struct setting *row, FILE *out)
{
    if (row->kind->allowed != NULL)
        fprintf(out, "%s", row->kind->allowed);
    else
        fprintf(out, "%s%llu to %llu%s%s", row->kind == &kind_threads ? "auto or " : "",
                (unsigned long long)row->least, (unsigned long long)row->most,
                row->unit[0] == '\0' ? "" : " ", row->unit);
}

static const char *place_text(char to[SETTINGS_ORIGIN_SIZE], const struct settings_origins *origins,
                              const struct settings_place *place)
{
    switch (place->from) {
    case ORIGIN_FILE:
        snprintf(to, SETTINGS_ORIGIN_SIZE, "%s, line %u", origins->file, place->line);
        break;
    case ORIGIN_OWN_FILE:
        snprintf(to, SETTINGS_ORIGIN_SIZE, "%s (dustwire set)", origins->own);
        break;
    case ORIGIN_GATEWAY:
        snprintf(to, SETTINGS_ORIGIN_SIZE, "the gateway's connect");
        break;
    case ORIGIN_COMMAND_LINE:
        snprintf(to, SETTINGS_ORIGIN_SIZE, "the command line");
        break;
    default:
        snprintf(to, SETTINGS_ORIGIN_SIZE, "the default");
        break;
    }
    return to;
}

const char *setting_origin_text(char to[SETTINGS_ORIGIN_SIZE],
                                const struct settings_origins *origins, unsigned index)
{
    return place_text(to, origins, &origins->keys[index]);
}

void setting_note_origin(struct settings_origins *origins, unsigned index,
                         struct settings_place place)
{
    if (place.from == ORIGIN_OWN_FILE && origins->keys[index].from == ORIGIN_FILE)
        origins->hidden[index] = origins->keys[index];
    origins->keys[index] = place;
}

static void print_value(const struct setting *row, const struct settings *s, FILE *out)
{
    char value[SETTINGS_VALUE_SIZE];

    setting_text(value, row, s);
    if (row->kind->is_secret && strcmp(value, "\"\"") != 0)
        fprintf(out, "# %s = (set, not shown)\n", row->name);
    else
        fprintf(out, "%s = %s\n", row->name, value);
}

static void print_row(unsigned index, const struct settings *s,
                      const struct settings_origins *origins, FILE *out)
{
    const struct setting *row = &settings_rows[index];
    char origin[SETTINGS_ORIGIN_SIZE];

    fprintf(out, "\n# %s\n# ", row->meaning);
    print_allowed(row, out);
    fprintf(out, "; default %s", row->fallback[0] == '\0' ? "empty" : row->fallback);
    if (row->change == CHANGE_RESTARTS)
        fprintf(out, "; a change needs a restart");
    else if (row->change == CHANGE_RECONNECTS)
        fprintf(out, "; a change takes the transport down and up");
    if (origins != NULL)
        fprintf(out, "\n# from %s", setting_origin_text(origin, origins, index));
    putc('\n', out);
    print_value(row, s, out);
}

static bool opens_section(unsigned index)
{
    return index == 0 ||
           strcmp(settings_rows[index].section, settings_rows[index - 1].section) != 0;
}

void settings_print(const struct settings *s, const struct settings_origins *origins, FILE *out)
{
    fprintf(out, SETTINGS_VERSION_MARK "%d\n", (int)SETTINGS_VERSION);
    fputs(
        "# The settings of dustwired. Every key may be left out: then its default holds.\n"
        "# Check a changed file before use: dustwired --config FILE --check-config\n"
        "# A comment has a line of its own; text with '#' or ';' in it stands in double quotes.\n",
        out);
    for (unsigned i = 0; i < settings_row_count; i++) {
        if (opens_section(i))
            fprintf(out, "\n[%s]\n", settings_rows[i].section);
        print_row(i, s, origins, out);
    }
}

static bool is_same(const struct setting *row, const struct settings *a, const struct settings *b)
{
    char text_a[SETTINGS_VALUE_SIZE], text_b[SETTINGS_VALUE_SIZE];

    return strcmp(setting_text(text_a, row, a), setting_text(text_b, row, b)) == 0;
}

void settings_print_changed(const struct settings *s, settings_problem_fn *line, void *ctx)
{
    struct settings defaults;
    char value[SETTINGS_VALUE_SIZE], sentence[SETTINGS_VALUE_SIZE + 128];

    settings_default(&defaults);
    for (unsigned i = 0; i < settings_row_count; i++) {
        const struct setting *row = &settings_rows[i];

        if (is_same(row, s, &defaults))
            continue;
        snprintf(sentence, sizeof sentence, "%s/%s = %s", row->section, row->name,
                 row->kind->is_secret ? "(set, not shown)" : setting_text(value, row, s));
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

    for (unsigned i = 0; i < settings_row_count; i++)
        if (holds_limits(settings_rows[i].section))
            each(ctx, settings_rows[i].section, settings_rows[i].name,
                 setting_text(value, &settings_rows[i], s));
}

bool settings_has_transport(const struct settings *s)
{
    return s->tcp_transport.is_enabled && s->tcp_connections.is_enabled &&
           s->gateway_service.is_enabled;
}

static void advise_former(const struct setting_former *f, const char *place,
                          settings_problem_fn *advice, void *ctx)
{
    char sentence[2 * SETTINGS_TEXT_SIZE];

    if (f->now_name != NULL)
        snprintf(
            sentence, sizeof sentence,
            "%s: [%s] %s is now called [%s] %s: rename it; release %s will refuse the old name",
            place, f->section, f->name, f->now_section, f->now_name, f->refused_from);
    else
        snprintf(
            sentence, sizeof sentence,
            "%s: [%s] %s does nothing any more (%s): take the line out; release %s will refuse "
            "it",
            place, f->section, f->name, f->why, f->refused_from);
    advice(ctx, sentence);
}

static void advise_formers(const struct settings_origins *origins, settings_problem_fn *advice,
                           void *ctx)
{
    char place[SETTINGS_ORIGIN_SIZE];

    for (unsigned i = 0; i < settings_former_count; i++)
        if (origins->formers[i].from != ORIGIN_DEFAULT)
            advise_former(&settings_formers[i], place_text(place, origins, &origins->formers[i]),
                          advice, ctx);
}

static void advise_hidden(const struct settings *s, const struct settings_origins *origins,
                          settings_problem_fn *advice, void *ctx)
{
    char place[SETTINGS_ORIGIN_SIZE], value[SETTINGS_VALUE_SIZE], sentence[5 * SETTINGS_TEXT_SIZE];

    for (unsigned i = 0; i < settings_row_count; i++) {
        const struct setting *row = &settings_rows[i];

        if (origins->hidden[i].from == ORIGIN_DEFAULT)
            continue;
        snprintf(sentence, sizeof sentence,
                 "%s: [%s] %s is hidden by a 'dustwire set', which made it %s: 'dustwire unset %s' "
                 "takes that back",
                 place_text(place, origins, &origins->hidden[i]), row->section, row->name,
                 setting_text(value, row, s), row->name);
        advice(ctx, sentence);
    }
}

void settings_advise(const struct settings *s, const struct settings_origins *origins,
                     settings_problem_fn *advice, void *ctx)
{
    char sentence[SETTINGS_TEXT_SIZE + 128];

    advise_formers(origins, advice, ctx);
    advise_hidden(s, origins, advice, ctx);

    if (!settings_has_transport(s))
        advice(ctx, "no transport is enabled: the daemon would run, but neither send nor receive");
    if (s->control.token[0] != '\0' && origins->is_file_world_readable) {
        snprintf(sentence, sizeof sentence,
                 "%s holds [control] token and everybody on this machine may read it: chmod o-r",
                 origins->file);
        advice(ctx, sentence);
    }
}

bool settings_control_address(const struct settings *s, struct address *out)
{
    char host[ADDRESS_HOST_SIZE];
    uint16_t port;

    return s->control.listen[0] != '\0' &&
           address_split(s->control.listen, host, &port) == ERR_OK &&
           address_from_ip_text(out, host, port) == ERR_OK;
}

unsigned settings_worker_count(const struct settings *s)
{
    unsigned usable;

    if (s->workers.threads != 0)
        return s->workers.threads;
    usable = cpus_usable();
    return usable > WORKERS_MAX ? WORKERS_MAX : usable;
}

void settings_compare(const struct settings *before, const struct settings *after,
                      struct settings_change *out)
{
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < settings_row_count; i++) {
        const struct setting *row = &settings_rows[i];
        size_t used = strlen(out->needs_restart);

        if (is_same(row, before, after))
            continue;
        out->is_any = true;
        if (row->change == CHANGE_RECONNECTS)
            out->needs_reconnect = true;
        if (row->change == CHANGE_RESTARTS)
            snprintf(out->needs_restart + used, sizeof out->needs_restart - used, "%s[%s] %s",
                     used == 0 ? "" : ", ", row->section, row->name);
    }
}

/* By way of the text: the table knows how to write and read each value, so it need not know how
 * many bytes a field has. */
void settings_keep_fixed(struct settings *after, struct settings_origins *after_origins,
                         const struct settings *before,
                         const struct settings_origins *before_origins)
{
    char value[SETTINGS_VALUE_SIZE], why[SETTINGS_WHY_SIZE];

    for (unsigned i = 0; i < settings_row_count; i++) {
        const struct setting *row = &settings_rows[i];

        if (row->change != CHANGE_RESTARTS || is_same(row, after, before))
            continue;
        after_origins->keys[i] = before_origins->keys[i];
        CONTRACT(row->kind->print(row, before, value, sizeof value) == ERR_OK);
        CONTRACT(setting_read(row, after, value, why) == ERR_OK);
    }
}
