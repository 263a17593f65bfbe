#include "settings/origin.h"

#include <stdio.h>

const char *settings_origin_place_text(char to[SETTINGS_ORIGIN_SIZE],
                                       const struct settings_origins *origins,
                                       const struct settings_place *place)
{
    switch (place->from) {
    case ORIGIN_FILE:
        snprintf(to, SETTINGS_ORIGIN_SIZE, "%s, line %u", origins->file, place->line);
        break;
    case ORIGIN_PERSISTED:
        snprintf(to, SETTINGS_ORIGIN_SIZE, "%s (dustwire set)", origins->persisted);
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

const char *settings_origin_text(char to[SETTINGS_ORIGIN_SIZE],
                                 const struct settings_origins *origins, unsigned index)
{
    return settings_origin_place_text(to, origins, &origins->keys[index]);
}

void settings_origin_note(struct settings_origins *origins, unsigned index,
                          struct settings_place place)
{
    if (place.from == ORIGIN_PERSISTED && origins->keys[index].from == ORIGIN_FILE)
        origins->overridden[index] = origins->keys[index];
    origins->keys[index] = place;
}
