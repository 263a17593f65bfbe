/* A planted data race: the tsan preset must report it (tests/planted/must_fail.cmake). */
#include <criterion/criterion.h>

#include <pthread.h>
#include <stddef.h>

enum { ROUNDS = 10000 };
static long shared;

static void *count_without_a_lock(void *unused)
{
    for (int i = 0; i < ROUNDS; i++)
        shared++;
    return unused;
}

Test(planted, passes_but_two_threads_write_one_word, .timeout = 5)
{
    pthread_t other;

    cr_assert_eq(pthread_create(&other, NULL, count_without_a_lock, NULL), 0);
    count_without_a_lock(NULL);
    cr_assert_eq(pthread_join(other, NULL), 0);
    cr_assert_geq(shared, ROUNDS / 2);
}
