#include "engine/timers.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 500 };

static struct timers timers;
static struct timer pool[MANY];
static size_t fired[4 * MANY];
static size_t fired_count;

static void note(struct timer *timer, void *ctx)
{
    (void)ctx;
    cr_assert_not(timer->is_set, "not set during its callback");
    cr_assert_lt(fired_count, sizeof fired / sizeof *fired);
    fired[fired_count++] = (size_t)(timer - pool);
}

static void some_timers(void)
{
    timers_init(&timers);
    for (size_t i = 0; i < MANY; i++)
        pool[i].fire = note;
}

Test(timers, none_is_set_at_first, .init = some_timers, .timeout = 5)
{
    uint64_t deadline;

    cr_assert_not(timers_next(&timers, &deadline));
    timers_cancel(&timers, &pool[0]);
    timers_run(&timers, UINT64_MAX - 1);
    cr_assert_eq(fired_count, 0u);
}

Test(timers, fire_earliest_first_and_only_when_due, .init = some_timers, .timeout = 5)
{
    static const uint64_t deadlines[] = {50, 10, 40, 20, 30};
    uint64_t next;

    for (size_t i = 0; i < 5; i++)
        timers_set(&timers, &pool[i], deadlines[i]);
    cr_assert(timers_next(&timers, &next) && next == 10);
    timers_run(&timers, 9);
    cr_assert_eq(fired_count, 0u);
    timers_run(&timers, 30);
    cr_assert_eq(fired_count, 3u);
    cr_assert(fired[0] == 1 && fired[1] == 3 && fired[2] == 4);
    cr_assert(timers_next(&timers, &next) && next == 40);
    timers_run(&timers, 1000);
    cr_assert(fired_count == 5 && fired[3] == 2 && fired[4] == 0);
    cr_assert_not(timers_next(&timers, &next));
}

Test(timers, cancelled_ones_do_not_fire, .init = some_timers, .timeout = 5)
{
    for (size_t i = 0; i < 10; i++)
        timers_set(&timers, &pool[i], i);
    for (size_t i = 0; i < 10; i += 2)
        timers_cancel(&timers, &pool[i]);
    timers_cancel(&timers, &pool[0]);
    timers_run(&timers, 10);
    cr_assert_eq(fired_count, 5u);
    for (size_t i = 0; i < 5; i++)
        cr_assert_eq(fired[i], 2 * i + 1);
}

Test(timers, move_when_set_again, .init = some_timers, .timeout = 5)
{
    timers_set(&timers, &pool[0], 10);
    timers_set(&timers, &pool[1], 20);
    timers_set(&timers, &pool[0], 30);
    timers_run(&timers, 25);
    cr_assert(fired_count == 1 && fired[0] == 1);
    timers_set(&timers, &pool[0], 5);
    timers_run(&timers, 25);
    cr_assert(fired_count == 2 && fired[1] == 0);
    timers_run(&timers, 100);
    cr_assert_eq(fired_count, 2u);
}

static unsigned again_left;

static void set_again_in_the_past(struct timer *timer, void *ctx)
{
    (void)ctx;
    fired_count++;
    if (again_left-- > 0)
        timers_set(&timers, timer, 0);
}

Test(timers, set_while_running_fire_in_a_later_run, .init = some_timers, .timeout = 5)
{
    again_left = 3;
    pool[0].fire = set_again_in_the_past;
    timers_set(&timers, &pool[0], 100);
    for (uint64_t now = 100; now < 110; now++) {
        size_t expected = now < 104 ? (size_t)(now - 99) : 4;

        timers_run(&timers, now);
        cr_assert_eq(fired_count, expected);
    }
}

static void cancel_the_next(struct timer *timer, void *ctx)
{
    note(timer, NULL);
    timers_cancel(&timers, ctx);
}

Test(timers, cancelled_by_one_that_fires_do_not_fire, .init = some_timers, .timeout = 5)
{
    pool[0].fire = cancel_the_next;
    pool[0].ctx = &pool[1];
    timers_set(&timers, &pool[0], 1);
    timers_set(&timers, &pool[1], 2);
    timers_set(&timers, &pool[2], 3);
    timers_run(&timers, 3);
    cr_assert(fired_count == 2 && fired[0] == 0 && fired[1] == 2);
}

Test(timers, without_a_function_abort, .signal = SIGABRT, .timeout = 5)
{
    struct timer blank = {0};

    timers_init(&timers);
    timers_set(&timers, &blank, 1);
}

/* The naive model: an array of deadlines, scanned linearly. */
static bool model_is_set[MANY];
static uint64_t model_deadline[MANY];

static void expect_next_as_in_the_model(void)
{
    uint64_t next = 0, earliest = UINT64_MAX;

    for (size_t i = 0; i < MANY; i++)
        if (model_is_set[i] && model_deadline[i] < earliest)
            earliest = model_deadline[i];
    cr_assert_eq(timers_next(&timers, &next), earliest != UINT64_MAX);
    if (earliest != UINT64_MAX)
        cr_assert_eq(next, earliest);
}

static void run_both(uint64_t now)
{
    uint64_t last = 0;
    size_t due = 0;

    for (size_t i = 0; i < MANY; i++)
        due += model_is_set[i] && model_deadline[i] <= now;
    fired_count = 0;
    timers_run(&timers, now);
    cr_assert_eq(fired_count, due);
    for (size_t i = 0; i < fired_count; i++) {
        size_t which = fired[i];

        cr_assert(model_is_set[which] && model_deadline[which] <= now);
        cr_assert_geq(model_deadline[which], last);
        last = model_deadline[which];
        model_is_set[which] = false;
    }
}

Test(timers, match_a_naive_model, .init = some_timers, .timeout = 60)
{
    unsigned seed = 7771;
    uint64_t now = 0;

    for (unsigned round = 0; round < 40000; round++) {
        size_t which = (size_t)rand_r(&seed) % MANY;
        unsigned what = (unsigned)rand_r(&seed) % 100;

        if (what < 60) {
            model_deadline[which] = now + (uint64_t)rand_r(&seed) % 2000;
            model_is_set[which] = true;
            timers_set(&timers, &pool[which], model_deadline[which]);
        } else if (what < 90) {
            model_is_set[which] = false;
            timers_cancel(&timers, &pool[which]);
        } else {
            now += (uint64_t)rand_r(&seed) % 50;
            run_both(now);
        }
        cr_assert_eq(pool[which].is_set, model_is_set[which]);
        if (round % 8 == 0)
            expect_next_as_in_the_model();
    }
    run_both(UINT64_MAX - 1);
}
