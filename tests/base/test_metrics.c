#include "base/metrics.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <string.h>

enum { THREADS = 4, TIMES = 200000 };

/* All count at the same time, or lost counts would not show. */
static pthread_barrier_t start;

static void *count(void *arg)
{
    (void)arg;
    pthread_barrier_wait(&start);
    for (unsigned i = 0; i < TIMES; i++) {
        metrics_add(METRIC_BYTES_RECEIVED, 3);
        metrics_add(METRIC_FILES_SENT, 1);
    }
    return NULL;
}

Test(metrics, sum_what_all_threads_counted, .timeout = 30)
{
    pthread_t threads[THREADS];
    uint64_t last = 0;

    metrics_add(METRIC_FILES_SENT, 5);
    pthread_barrier_init(&start, NULL, THREADS + 1);
    for (unsigned i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, count, NULL), 0);
    pthread_barrier_wait(&start);
    for (unsigned i = 0; i < 1000; i++) { /* read while they count: it only grows */
        uint64_t now = metrics_sum(METRIC_BYTES_RECEIVED);

        cr_assert_geq(now, last);
        last = now;
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    cr_assert_eq(metrics_sum(METRIC_BYTES_RECEIVED), 3ull * THREADS * TIMES);
    cr_assert_eq(metrics_sum(METRIC_FILES_SENT), 5ull + THREADS * TIMES);
    cr_assert_eq(metrics_sum(METRIC_COMMITS), 0u);
}

static void *count_one(void *arg)
{
    (void)arg;
    metrics_add(METRIC_COMMITS, 1);
    return NULL;
}

Test(metrics, keep_the_counts_of_ended_threads, .timeout = 30)
{
    for (unsigned i = 0; i < 600; i++) {
        pthread_t thread;

        cr_assert_eq(pthread_create(&thread, NULL, count_one, NULL), 0);
        pthread_join(thread, NULL);
    }
    cr_assert_eq(metrics_sum(METRIC_COMMITS), 600u);
}

Test(metrics, have_distinct_names, .timeout = 5)
{
    for (unsigned i = 0; i < METRIC_COUNT; i++) {
        cr_assert_null(strchr(metrics_word((enum metric)i), ' '));
        for (unsigned j = 0; j < i; j++)
            cr_assert_str_neq(metrics_word((enum metric)i), metrics_word((enum metric)j));
    }
}

Test(metrics, knows_which_count_limits, .timeout = 5)
{
    cr_assert(metrics_is_limit(METRIC_REFUSED_RATE));
    cr_assert(metrics_is_limit(METRIC_EVENTS_LOST));
    cr_assert_not(metrics_is_limit(METRIC_SESSIONS_ACCEPTED));
    cr_assert_not(metrics_is_limit(METRIC_COMMIT_BATCHES));
}
