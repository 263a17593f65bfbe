/* Where the effective value of a key comes from. */
#ifndef SETTINGS_ORIGIN_H
#define SETTINGS_ORIGIN_H

#include "settings/settings.h"

enum { SETTINGS_ORIGIN_SIZE = SETTINGS_TEXT_SIZE + 32 };
/* "FILE, line 3", "the default"; returns `to`. */
const char *settings_origin_place_text(char to[SETTINGS_ORIGIN_SIZE],
                                       const struct settings_origins *origins,
                                       const struct settings_place *place);
/* The same for the row with this index. */
const char *settings_origin_text(char to[SETTINGS_ORIGIN_SIZE],
                                 const struct settings_origins *origins, unsigned index);

/* Records the origin of the row with this index, and what it overrides. */
void settings_origin_note(struct settings_origins *origins, unsigned index,
                          struct settings_place place);

#endif
