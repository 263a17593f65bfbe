#include "loop/pulse.h"

#include "loop/loop.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>

static struct loop *loops[2];
static struct mailbox *answers;
static sem_t is_held, may_go_on;

static void two_loops(void)
{
    const char *const names[] = {"first", "second"};

    cr_assert_eq(mailbox_open(&answers, 16, NULL), ERR_OK);
    sem_init(&is_held, 0, 0);
    sem_init(&may_go_on, 0, 0);
    for (unsigned i = 0; i < 2; i++) {
        struct loop_config config = {.name = names[i], .mailbox_limit = 16};

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
    struct pollfd bell = {.fd = mailbox_fd(answers), .events = POLLIN};

    poll(&bell, 1, -1);
    mailbox_drain(answers);
}

static void hold(struct message *m, void *owner)
{
    (void)m, (void)owner;
    sem_post(&is_held);
    sem_wait(&may_go_on);
}

static void hold_the_second(void)
{
    static struct message holding;

    cr_assert_eq(mailbox_post(loop_mailbox(loops[1]), &holding, hold), ERR_OK);
    sem_wait(&is_held);
}

Test(pulse, is_answered_by_every_loop_that_turns, .init = two_loops, .fini = clean_up,
     .timeout = 10)
{
    cr_assert_null(pulse_missing(), "nobody was asked yet");
    pulse_ask(answers);
    cr_assert_not_null(pulse_missing());
    while (pulse_missing() != NULL)
        wait_for_an_answer();
}

Test(pulse, names_the_loop_whose_handler_hangs_until_it_goes_on, .init = two_loops,
     .fini = clean_up, .timeout = 10)
{
    hold_the_second();
    pulse_ask(answers);
    wait_for_an_answer();
    cr_assert_str_eq(pulse_missing(), "second");
    pulse_ask(answers); /* the first again; the second still has its question */
    wait_for_an_answer();
    cr_assert_str_eq(pulse_missing(), "second");
    sem_post(&may_go_on);
    while (pulse_missing() != NULL)
        wait_for_an_answer();
}

Test(pulse, does_not_wait_for_a_loop_that_was_stopped, .init = two_loops, .fini = clean_up,
     .timeout = 10)
{
    loop_stop(loops[1]);
    pulse_ask(answers);
    while (pulse_missing() != NULL)
        wait_for_an_answer();
}

static void *look_from_elsewhere(void *arg)
{
    pulse_ask(answers);
    *(const char **)arg = pulse_missing();
    return NULL;
}

Test(pulse, is_of_the_thread_that_started_the_loops, .init = two_loops, .fini = clean_up,
     .timeout = 10)
{
    const char *missing = "";
    pthread_t other;

    pthread_create(&other, NULL, look_from_elsewhere, &missing);
    pthread_join(other, NULL);
    cr_assert_null(missing);
    cr_assert_eq(mailbox_waiting(answers), 0u);
}
