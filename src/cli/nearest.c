#include "cli/nearest.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

enum { WORD_MAX = 31 };

static unsigned least(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

/* Optimal string alignment: rows[i][j] is the distance between the first i letters of `a` and the
 * first j of `b`. */
unsigned cli_distance(const char *a, const char *b)
{
    unsigned rows[WORD_MAX + 1][WORD_MAX + 1];
    size_t m = strlen(a), n = strlen(b);

    if (m > WORD_MAX || n > WORD_MAX)
        return UINT_MAX;
    for (size_t i = 0; i <= m; i++)
        for (size_t j = 0; j <= n; j++) {
            if (i == 0 || j == 0) {
                rows[i][j] = (unsigned)(i + j);
                continue;
            }
            rows[i][j] = least(rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]),
                               least(rows[i - 1][j], rows[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                rows[i][j] = least(rows[i][j], rows[i - 2][j - 2] + 1);
        }
    return rows[m][n];
}

/* One error in a short word, two in a longer one; a prefix is near, too. */
static bool is_near(const char *word, const char *candidate, unsigned distance)
{
    size_t length = strlen(word);

    if (length >= 2 && strncmp(word, candidate, length) == 0)
        return true;
    return distance <= (length < 5 ? 1u : 2u);
}

void cli_nearest_try(struct cli_nearest *n, const char *candidate)
{
    unsigned distance = cli_distance(n->word, candidate);

    if (!is_near(n->word, candidate, distance) || (n->nearest != NULL && distance >= n->distance))
        return;
    n->nearest = candidate;
    n->distance = distance;
}
