/* A planted leak: the asan preset must report it (tests/planted/must_fail.cmake). */
#include <criterion/criterion.h>

#include <stdlib.h>

/* Volatile, so that the unused allocation is not optimised away. */
static void *volatile kept;

Test(planted, passes_but_leaks_forty_bytes, .timeout = 5)
{
    kept = malloc(40);
    cr_assert_not_null(kept);
    kept = NULL;
}
