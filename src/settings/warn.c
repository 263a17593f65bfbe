/* Warnings about settings that are valid. */
#include "settings/settings.h"

#include "settings/deprecated.h"
#include "settings/kind.h"
#include "settings/origin.h"
#include "settings/table.h"

#include <stdio.h>

static void warn_deprecated_key(const struct settings_deprecated_key *f, const char *place,
                                settings_problem_fn *warning, void *ctx)
{
    char sentence[2 * SETTINGS_TEXT_SIZE];

    if (f->new_name != NULL)
        snprintf(
            sentence, sizeof sentence,
            "%s: [%s] %s is deprecated: rename it to [%s] %s; release %s will reject the old name",
            place, f->section, f->name, f->new_section, f->new_name, f->rejected_in);
    else
        snprintf(sentence, sizeof sentence,
                 "%s: [%s] %s has no effect (%s): remove the line; release %s will reject it",
                 place, f->section, f->name, f->why, f->rejected_in);
    warning(ctx, sentence);
}

static void warn_deprecated(const struct settings_origins *origins, settings_problem_fn *warning,
                            void *ctx)
{
    char place[SETTINGS_ORIGIN_SIZE];

    for (unsigned i = 0; i < settings_deprecated_count; i++)
        if (origins->deprecated[i].from != ORIGIN_DEFAULT)
            warn_deprecated_key(&settings_deprecated[i],
                                settings_origin_place_text(place, origins, &origins->deprecated[i]),
                                warning, ctx);
}

static void warn_overridden(const struct settings *s, const struct settings_origins *origins,
                            settings_problem_fn *warning, void *ctx)
{
    char place[SETTINGS_ORIGIN_SIZE], value[SETTINGS_VALUE_SIZE], sentence[5 * SETTINGS_TEXT_SIZE];

    for (unsigned i = 0; i < settings_table_count; i++) {
        const struct settings_row *row = &settings_table[i];

        if (origins->overridden[i].from == ORIGIN_DEFAULT)
            continue;
        snprintf(sentence, sizeof sentence,
                 "%s: [%s] %s is overridden by 'dustwire set' with %s: 'dustwire unset %s' "
                 "removes the override",
                 settings_origin_place_text(place, origins, &origins->overridden[i]), row->section,
                 row->name, settings_kind_text(value, row, s), row->name);
        warning(ctx, sentence);
    }
}

void settings_warn(const struct settings *s, const struct settings_origins *origins,
                   settings_problem_fn *warning, void *ctx)
{
    char sentence[SETTINGS_TEXT_SIZE + 128];

    warn_deprecated(origins, warning, ctx);
    warn_overridden(s, origins, warning, ctx);

    if (!settings_has_transport(s))
        warning(ctx, "no transport is enabled: the daemon can neither send nor receive");
    if (s->control.token[0] != '\0' && origins->is_file_world_readable) {
        snprintf(sentence, sizeof sentence,
                 "%s contains [control] token and is world-readable: chmod o-r", origins->file);
        warning(ctx, sentence);
    }
}
