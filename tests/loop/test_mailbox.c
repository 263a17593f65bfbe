#include "loop/mailbox.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct numbered {
    struct message message; /* first */
    unsigned number;
};

enum { LIMIT = 4 };

static struct mailbox *box;
static struct numbered notes[16];
static unsigned delivered[64], delivered_count;
static int owner_mark;

static void a_box(void)
{
    cr_assert_eq(mailbox_open(&box, LIMIT, &owner_mark), ERR_OK);
    for (unsigned i = 0; i < 16; i++)
        notes[i].number = i;
}

static void clean_up(void)
{
    mailbox_close(&box);
    cr_assert_null(box);
    mailbox_close(&box); /* a no-op with NULL */
}

static void note(struct message *m, void *owner)
{
    cr_assert_eq(owner, &owner_mark);
    delivered[delivered_count++] = ((struct numbered *)m)->number;
}

static bool is_woken(void)
{
    struct pollfd wakeup = {.fd = mailbox_fd(box), .events = POLLIN};

    return poll(&wakeup, 1, 0) == 1;
}

Test(mailbox, delivers_in_the_order_of_posting, .init = a_box, .fini = clean_up, .timeout = 5)
{
    cr_assert_eq(mailbox_drain(box), 0u);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(mailbox_post(box, &notes[i].message, note), ERR_OK);
    cr_assert_eq(mailbox_waiting(box), 3u);
    cr_assert_eq(mailbox_drain(box), 3u);
    cr_assert_eq(mailbox_waiting(box), 0u);
    cr_assert_eq(delivered_count, 3u);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(delivered[i], i);
}

Test(mailbox, rejects_new_work_when_full_but_never_an_answer, .init = a_box, .fini = clean_up,
     .timeout = 5)
{
    for (unsigned i = 0; i < LIMIT; i++)
        cr_assert_eq(mailbox_post(box, &notes[i].message, note), ERR_OK);
    cr_assert_eq(mailbox_post(box, &notes[10].message, note), ERR_FULL);
    for (unsigned i = LIMIT; i < 10; i++)
        mailbox_answer(box, &notes[i].message, note);
    cr_assert_eq(mailbox_post(box, &notes[10].message, note), ERR_FULL);
    cr_assert_eq(mailbox_drain(box), 10u);
    for (unsigned i = 0; i < 10; i++)
        cr_assert_eq(delivered[i], i);
    cr_assert_eq(mailbox_post(box, &notes[10].message, note), ERR_OK, "not full any more");
    cr_assert_eq(mailbox_drain(box), 1u);
}

Test(mailbox, rejects_new_work_when_closed_but_accepts_answers, .init = a_box, .fini = clean_up,
     .timeout = 5)
{
    cr_assert_eq(mailbox_post(box, &notes[0].message, note), ERR_OK);
    mailbox_shut(box);
    cr_assert_eq(mailbox_post(box, &notes[1].message, note), ERR_CLOSED);
    mailbox_answer(box, &notes[2].message, note);
    cr_assert_eq(mailbox_drain(box), 2u);
    cr_assert(delivered[0] == 0 && delivered[1] == 2);
}

Test(mailbox, rings_once_a_batch, .init = a_box, .fini = clean_up, .timeout = 5)
{
    eventfd_t rings = 0;

    cr_assert_not(is_woken());
    mailbox_post(box, &notes[0].message, note);
    mailbox_post(box, &notes[1].message, note);
    mailbox_answer(box, &notes[2].message, note);
    cr_assert_eq(eventfd_read(mailbox_fd(box), &rings), 0);
    cr_assert_eq(rings, (eventfd_t)1);
    cr_assert_eq(mailbox_drain(box), 3u, "a consumed wakeup loses nothing");
    mailbox_post(box, &notes[0].message, note);
    cr_assert(is_woken());
    mailbox_drain(box);
    cr_assert_not(is_woken());
}

static void post_another(struct message *m, void *owner)
{
    note(m, owner);
    mailbox_answer(box, &notes[9].message, note);
}

Test(mailbox, leaves_what_a_delivery_posts_to_the_next_drain, .init = a_box, .fini = clean_up,
     .timeout = 5)
{
    mailbox_post(box, &notes[0].message, post_another);
    cr_assert_eq(mailbox_drain(box), 1u);
    cr_assert_eq(delivered_count, 1u);
    cr_assert(is_woken());
    cr_assert_eq(mailbox_drain(box), 1u);
    cr_assert_eq(delivered[1], 9u);
}

Test(mailbox, closing_with_queued_messages_aborts, .init = a_box, .signal = SIGABRT, .timeout = 5)
{
    mailbox_post(box, &notes[0].message, note);
    mailbox_close(&box);
}

struct question {
    struct request request; /* first */
    void *seen_owner;
    bool is_answered;
};

static void take_answer(struct message *m, void *owner)
{
    struct question *q = (struct question *)m;

    q->seen_owner = owner;
    q->is_answered = true;
}

Test(mailbox, delivers_an_answer_to_the_requester, .init = a_box, .fini = clean_up, .timeout = 5)
{
    struct question q = {.request = {.answer_to = box, .on_answer = take_answer}};

    request_answer(&q.request, ERR_NO_SPACE);
    cr_assert_not(q.is_answered, "only when the requester drains its mailbox");
    cr_assert_eq(mailbox_drain(box), 1u);
    cr_assert(q.is_answered);
    cr_assert_eq(q.seen_owner, &owner_mark);
    cr_assert_eq(q.request.result, ERR_NO_SPACE);
}

Test(mailbox, gives_an_answer_that_nobody_waits_for_at_once, .timeout = 5)
{
    struct question q = {.request = {.on_answer = take_answer}, .seen_owner = &owner_mark};

    request_answer(&q.request, ERR_OK);
    cr_assert(q.is_answered);
    cr_assert_null(q.seen_owner);
}

/* Several threads post, one drains: no loss, no duplicates, each sender's order is kept. */
enum { SENDERS = 3, EACH = 2000 };

static struct numbered crowd[SENDERS][EACH];
static unsigned next_of[SENDERS], taken;

static void take_in_order(struct message *m, void *owner)
{
    unsigned number = ((struct numbered *)m)->number, sender = number / EACH;

    (void)owner;
    cr_assert_eq(number % EACH, next_of[sender]);
    next_of[sender]++;
    taken++;
}

static void *send_all(void *arg)
{
    struct numbered *mine = arg;

    for (unsigned i = 0; i < EACH; i++)
        while (mailbox_post(box, &mine[i].message, take_in_order) == ERR_FULL)
            sched_yield();
    return NULL;
}

Test(mailbox, loses_nothing_between_threads, .init = a_box, .fini = clean_up, .timeout = 30)
{
    pthread_t threads[SENDERS];
    struct pollfd wakeup = {.fd = mailbox_fd(box), .events = POLLIN};

    for (unsigned i = 0; i < SENDERS; i++) {
        for (unsigned j = 0; j < EACH; j++)
            crowd[i][j].number = i * EACH + j;
        cr_assert_eq(pthread_create(&threads[i], NULL, send_all, crowd[i]), 0);
    }
    while (taken < SENDERS * EACH) {
        cr_assert_eq(poll(&wakeup, 1, 20000), 1, "messages are queued without a wakeup");
        mailbox_drain(box);
    }
    for (unsigned i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    mailbox_drain(box);
    cr_assert_eq(taken, (unsigned)(SENDERS * EACH));
}

static void post_deferred(unsigned number)
{
    cr_assert_eq(mailbox_post_deferred(box, &notes[number].message, note), ERR_OK);
}

Test(mailbox, queues_deferred_messages_until_another_wakes_the_owner, .init = a_box,
     .fini = clean_up, .timeout = 5)
{
    post_deferred(0);
    cr_assert_not(is_woken());
    cr_assert_eq(mailbox_post(box, &notes[1].message, note), ERR_OK);
    cr_assert(is_woken());
    post_deferred(2);
    cr_assert_eq(mailbox_drain(box), 3u);
    cr_assert_not(is_woken());
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(delivered[i], i);
    post_deferred(3);
    cr_assert_not(is_woken(), "the drain clears the wakeup");
    mailbox_drain(box);
}

Test(mailbox, wakes_for_deferred_messages_when_immediate_or_full, .init = a_box, .fini = clean_up,
     .timeout = 5)
{
    mailbox_set_immediate(box, true);
    post_deferred(0);
    cr_assert(is_woken());
    mailbox_drain(box);
    mailbox_set_immediate(box, false);
    for (unsigned i = 1; i < LIMIT; i++)
        post_deferred(i);
    cr_assert_not(is_woken());
    post_deferred(LIMIT);
    cr_assert(is_woken());
    mailbox_drain(box);
}

static void drain_within(struct message *m, void *owner)
{
    note(m, owner);
    mailbox_post(box, &notes[2].message, note);
    mailbox_drain(box);
}

Test(mailbox, keeps_the_order_when_a_message_drains_from_inside, .init = a_box, .fini = clean_up,
     .timeout = 5)
{
    cr_assert_eq(mailbox_post(box, &notes[0].message, drain_within), ERR_OK);
    cr_assert_eq(mailbox_post(box, &notes[1].message, note), ERR_OK);
    mailbox_drain(box);
    cr_assert_eq(delivered_count, 3u);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(delivered[i], i);
}
