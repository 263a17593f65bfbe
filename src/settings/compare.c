/* What is needed to apply a change of the settings, and which values must not change. */
#include "settings/settings.h"

#include "settings/kind.h"
#include "settings/table.h"

#include "base/contract.h"

#include <stdio.h>
#include <string.h>

void settings_compare(const struct settings *before, const struct settings *after,
                      struct settings_change *out)
{
    memset(out, 0, sizeof *out);
    for (unsigned i = 0; i < settings_table_count; i++) {
        const struct settings_row *row = &settings_table[i];
        size_t used = strlen(out->needs_restart);

        if (settings_kind_is_same(row, before, after))
            continue;
        out->is_any = true;
        if (row->change == CHANGE_RECONNECTS)
            out->needs_reconnect = true;
        if (row->change == CHANGE_RESTARTS)
            snprintf(out->needs_restart + used, sizeof out->needs_restart - used, "%s[%s] %s",
                     used == 0 ? "" : ", ", row->section, row->name);
    }
}

/* Copies through text: the table can print and parse each value, but has no size of its field. */
void settings_keep_fixed(struct settings *after, struct settings_origins *after_origins,
                         const struct settings *before,
                         const struct settings_origins *before_origins)
{
    char value[SETTINGS_VALUE_SIZE], why[SETTINGS_WHY_SIZE];

    for (unsigned i = 0; i < settings_table_count; i++) {
        const struct settings_row *row = &settings_table[i];

        if (row->change != CHANGE_RESTARTS || settings_kind_is_same(row, after, before))
            continue;
        after_origins->keys[i] = before_origins->keys[i];
        CONTRACT(row->kind->print(row, before, value, sizeof value) == ERR_OK);
        CONTRACT(settings_kind_read(row, after, value, why) == ERR_OK);
    }
}
