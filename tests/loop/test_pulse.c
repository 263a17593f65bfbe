#include "loop/pulse.h"

#include "loop/loop.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <time.h>

static struct loop *loops[2];
static struct mailbox *answers;
static sem_t is_held, may_go_on, may_count;

/* The first blocks only in its loop, the second works on files. */
static void two_loops(void)
{
    const char *const names[] = {"first", "second"};

    cr_assert_eq(mailbox_open(&answers, 16, NULL), ERR_OK);
    sem_init(&is_held, 0, 0);
    sem_init(&may_go_on, 0, 0);
    sem_init(&may_count, 0, 0);
    for (unsigned i = 0; i < 2; i++) {
        struct loop_config config = {
            .name = names[i], .mailbox_limit = 1024, .works_on_files = i == 1};

        cr_assert_eq(loop_open(&loops[i], &config), ERR_OK);
        cr_assert_eq(loop_start(loops[i]), ERR_OK);
    }
}

static void clean_up(void)
{
    loop_stop(loops[0]);
    loop_stop(loops[1]);
    mailbox_drain(answers);
    loop_close(&loops[0]);
    loop_close(&loops[1]);
    mailbox_close(&answers);
}

static void wait_for_an_answer(void)
{
    struct pollfd wakeup = {.fd = mailbox_fd(answers), .events = POLLIN};

    poll(&wakeup, 1, -1);
    mailbox_drain(answers);
}

static void wait_for_all(void)
{
    while (pulse_is_pending())
        wait_for_an_answer();
}

/* What a thread can be doing when it is pinged. */

enum { CHECK_MS = 20 };

static void hangs(struct message *m, void *owner)
{
    (void)m, (void)owner;
    sem_post(&is_held);
    sem_wait(&may_go_on);
}

static uint64_t own_cpu_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Posts is_held after CHECK_MS of CPU time since may_count. */
static void computes(struct message *m, void *owner)
{
    uint64_t since_ms = 0;
    bool is_counting = false, is_reported = false;

    (void)m, (void)owner;
    while (sem_trywait(&may_go_on) != 0) {
        if (!is_counting && sem_trywait(&may_count) == 0) {
            is_counting = true;
            since_ms = own_cpu_ms();
        }
        if (!is_reported && is_counting && own_cpu_ms() - since_ms >= CHECK_MS) {
            is_reported = true;
            sem_post(&is_held);
        }
    }
}

/* One of many: the ping is queued behind them. */
static void is_one_of_many(struct message *m, void *owner)
{
    (void)m, (void)owner;
    sem_wait(&may_go_on);
    sem_post(&is_held);
}

enum { MANY = 20 };
static struct message work[MANY];

static void give(unsigned loop, message_fn *what, unsigned times)
{
    for (unsigned i = 0; i < times; i++)
        cr_assert_eq(mailbox_post(loop_mailbox(loops[loop]), &work[i], what), ERR_OK);
}

static unsigned reported_count;
static char reported_name[16];
static enum pulse_state reported_state;
static uint64_t reported_ms;

static void on_report(void *ctx, const char *name, enum pulse_state state, uint64_t ms)
{
    (void)ctx;
    reported_count++;
    snprintf(reported_name, sizeof reported_name, "%s", name);
    reported_state = state;
    reported_ms = ms;
}

static bool check(uint64_t now_ms)
{
    return pulse_check(now_ms, on_report, NULL);
}

Test(pulse, is_answered_by_every_running_loop, .init = two_loops, .fini = clean_up, .timeout = 10)
{
    cr_assert_not(pulse_is_pending(), "no ping sent yet");
    pulse_ping(answers, 1000);
    cr_assert(pulse_is_pending());
    wait_for_all();
    cr_expect(check(2000));
    cr_expect_eq(reported_count, 0);
}

/* Each kind of loop, idle and blocked. */
struct case_of {
    const char *name;
    unsigned loop;
    message_fn *does;
    bool is_alive;
    enum pulse_state state;
};

static void judge_case(const struct case_of *row)
{
    reported_count = 0;
    if (row->does != NULL) {
        give(row->loop, row->does, 1);
        sem_wait(&is_held);
    }
    pulse_ping(answers, 1000);
    if (row->does != NULL)
        wait_for_an_answer(); /* the other's */
    else
        wait_for_all();
    cr_expect_eq(check(1000 + 60000), row->is_alive, "%s", row->name);
    cr_expect_eq(reported_count, row->state == PULSE_ALIVE ? 0 : 1, "%s", row->name);
    if (reported_count > 0)
        cr_expect_eq(reported_state, row->state, "%s", row->name);
    if (row->does != NULL)
        sem_post(&may_go_on);
    wait_for_all();
    cr_expect(check(90000), "%s: running again", row->name);
}

Test(pulse, a_blocked_loop_is_stalled_unless_it_works_on_files, .init = two_loops, .fini = clean_up,
     .timeout = 20)
{
    static const struct case_of rows[] = {
        {"an event loop at rest", 0, NULL, true, PULSE_ALIVE},
        {"a loop of files at rest", 1, NULL, true, PULSE_ALIVE},
        {"an event loop in a call that hangs", 0, hangs, false, PULSE_STALLED},
        {"a loop of files in a call that hangs", 1, hangs, true, PULSE_BLOCKED},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        judge_case(&rows[i]);
}

static void judge_computing(unsigned loop)
{
    give(loop, computes, 1);
    pulse_ping(answers, 1000);
    wait_for_an_answer(); /* the other's */
    sem_post(&may_count);
    sem_wait(&is_held); /* at least 20 ms of CPU time since the ping */
    cr_expect_not(check(1000 + CHECK_MS));
    cr_expect_eq(reported_state, PULSE_STALLED);
    cr_expect_str_eq(reported_name, loop == 0 ? "first" : "second");
    sem_post(&may_go_on);
    wait_for_all();
    cr_expect(check(2000));
}

Test(pulse, a_computing_loop_is_stalled_in_both_kinds, .init = two_loops, .fini = clean_up,
     .timeout = 20)
{
    judge_computing(0);
    judge_computing(1);
}

Test(pulse, a_ping_queued_behind_work_reports_nothing, .init = two_loops, .fini = clean_up,
     .timeout = 20)
{
    for (unsigned loop = 0; loop < 2; loop++) {
        give(loop, is_one_of_many, MANY);
        pulse_ping(answers, 1000);
        wait_for_an_answer(); /* the other's */
        for (unsigned i = 0; i + 1 < MANY; i++) {
            sem_post(&may_go_on);
            sem_wait(&is_held);
            sem_post(&may_go_on); /* the next starts after this one was counted */
            sem_wait(&is_held);
            i++;
            cr_expect(check(1000 + (i + 1) * 60000), "message %u of loop %u", i, loop);
        }
        wait_for_all();
        reported_count = 0;
    }
}

Test(pulse, reports_a_stall_once_and_its_end, .init = two_loops, .fini = clean_up, .timeout = 10)
{
    give(1, hangs, 1);
    sem_wait(&is_held);
    pulse_ping(answers, 1000);
    wait_for_an_answer();
    for (unsigned i = 1; i < 10; i++)
        cr_expect(check(1000 + i * 1000), "a slow disk is tolerated");
    cr_expect_eq(reported_count, 1);
    cr_expect_str_eq(reported_name, "second");
    cr_expect_eq(reported_ms, 1000);
    pulse_ping(answers, 11000); /* pings the first again; the second has one pending */
    wait_for_an_answer();
    cr_expect(pulse_is_pending());
    sem_post(&may_go_on);
    wait_for_all();
    check(12000);
    cr_expect_eq(reported_count, 2);
    cr_expect_eq(reported_state, PULSE_ALIVE);
}

Test(pulse, does_not_wait_for_a_loop_that_was_stopped, .init = two_loops, .fini = clean_up,
     .timeout = 10)
{
    loop_stop(loops[1]);
    pulse_ping(answers, 1000);
    wait_for_all();
}

static void *check_from_another_thread(void *arg)
{
    pulse_ping(answers, 1000);
    *(bool *)arg = pulse_is_pending();
    return NULL;
}

Test(pulse, belongs_to_the_thread_that_started_the_loops, .init = two_loops, .fini = clean_up,
     .timeout = 10)
{
    bool is_missing = true;
    pthread_t other;

    pthread_create(&other, NULL, check_from_another_thread, &is_missing);
    pthread_join(other, NULL);
    cr_assert_not(is_missing);
    cr_assert_eq(mailbox_waiting(answers), 0u);
}
