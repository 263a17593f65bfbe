/* What was meant by a word that there is not. Pure. */
#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

#include <stddef.h>

/* How many letters have to be put in, left out, exchanged for another or for their neighbour to
 * make `b` of `a`; words of more than 31 letters are as far apart as can be. */
unsigned cli_distance(const char *a, const char *b);

/* Takes one of many candidates after the other. `*nearest` begins as NULL. */
struct cli_nearest {
    const char *word, *nearest;
    unsigned distance;
};
void cli_nearest_try(struct cli_nearest *n, const char *candidate);

#endif
