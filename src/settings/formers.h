/* Keys of earlier releases. */
#ifndef SETTINGS_FORMERS_H
#define SETTINGS_FORMERS_H

#include <stdbool.h>

/* A key of an earlier release. For two releases after the one that renamed it or took it away its
 * line is accepted, with a warning; then its row goes. */
struct settings_former {
    const char *section, *name;
    const char *now_section, *now_name; /* NULL: nothing took its place */
    const char *why;                    /* then a clause: "small files share a sync without it" */
    const char *refused_from;           /* the release that knows it no more: "0.4" */
};

/* A pointer, so that the tests can bring a table of their own; nothing else writes it. */
extern const struct settings_former *settings_formers;
extern unsigned settings_formers_count;

/* False if there is none; `*index` is that of settings_formers. */
bool settings_formers_find(const char *section, const char *name, unsigned *index);
/* The section's name as the table has it, if only keys of earlier releases were in it; or NULL. */
const char *settings_formers_find_section(const char *name);

#endif
