/* A leak put here on purpose: the asan preset must report it (tests/planted/must_fail.cmake). */
#include <criterion/criterion.h>

#include <stdlib.h>

/* Volatile: what is stored here is read by nobody, yet the allocation must not be optimised away.
 */
static void *volatile kept;

Test(planted, passes_but_leaks_forty_bytes, .timeout = 5)
{
    kept = malloc(40);
    cr_assert_not_null(kept);
    kept = NULL;
}
