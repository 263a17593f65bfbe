/* Suggests the known word nearest to an unknown one. Pure. */
#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

#include <stddef.h>

/* The number of insertions, deletions, substitutions and transpositions of neighbours that turn `a`
 * into `b`; UINT_MAX for words longer than 31 letters. */
unsigned cli_distance(const char *a, const char *b);

/* Called for each candidate; keeps the nearest one. `nearest` starts as NULL. */
struct cli_nearest {
    const char *word, *nearest;
    unsigned distance;
};
void cli_nearest_try(struct cli_nearest *n, const char *candidate);

#endif
