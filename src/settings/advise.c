/* What is no error, but that people must be told. */
#include "settings/settings.h"

#include "settings/formers.h"
#include "settings/kind.h"
#include "settings/origin.h"
#include "settings/table.h"

#include <stdio.h>

static void advise_former(const struct settings_former *f, const char *place,
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

    for (unsigned i = 0; i < settings_formers_count; i++)
        if (origins->formers[i].from != ORIGIN_DEFAULT)
            advise_former(&settings_formers[i],
                          settings_origin_place_text(place, origins, &origins->formers[i]), advice,
                          ctx);
}

static void advise_hidden(const struct settings *s, const struct settings_origins *origins,
                          settings_problem_fn *advice, void *ctx)
{
    char place[SETTINGS_ORIGIN_SIZE], value[SETTINGS_VALUE_SIZE], sentence[5 * SETTINGS_TEXT_SIZE];

    for (unsigned i = 0; i < settings_table_count; i++) {
        const struct settings_row *row = &settings_table[i];

        if (origins->hidden[i].from == ORIGIN_DEFAULT)
            continue;
        snprintf(sentence, sizeof sentence,
                 "%s: [%s] %s is hidden by a 'dustwire set', which made it %s: 'dustwire unset %s' "
                 "takes that back",
                 settings_origin_place_text(place, origins, &origins->hidden[i]), row->section,
                 row->name, settings_kind_text(value, row, s), row->name);
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
