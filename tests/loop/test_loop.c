#include "loop/loop.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Owner of a loop: counts its callbacks. Belongs to the loop's thread while that runs. */
struct owner {
    struct loop *loop;
    unsigned started, turns, ended, mail, mail_at_end;
    pthread_t thread;
};

static struct owner owner;

static void on_started(void *arg)
{
    struct owner *o = arg;

    cr_assert_eq(o->turns, 0u);
    o->started++;
    o->thread = pthread_self();
    loop_assert_here(o->loop);
}

static void on_turn(void *arg)
{
    ((struct owner *)arg)->turns++;
}

static void on_ended(void *arg)
{
    struct owner *o = arg;

    o->ended++;
    o->mail_at_end = o->mail;
    loop_assert_here(o->loop);
}

static void a_loop(void)
{
    struct loop_config config = {.name = "a-name-longer-than-fifteen",
                                 .mailbox_limit = 1000,
                                 .owner = &owner,
                                 .started = on_started,
                                 .after_turn = on_turn,
                                 .ended = on_ended};

    cr_assert_eq(loop_open(&owner.loop, &config), ERR_OK);
}

static void clean_up(void)
{
    loop_stop(owner.loop);
    loop_close(&owner.loop);
    cr_assert_null(owner.loop);
    loop_close(&owner.loop);
}

static void count_mail(struct message *m, void *arg)
{
    struct owner *o = arg;

    (void)m;
    loop_assert_here(o->loop);
    o->mail++;
}

Test(loop, delivers_what_was_posted_before_a_stop, .init = a_loop, .fini = clean_up, .timeout = 10)
{
    static struct message messages[1000];

    cr_assert_eq(loop_start(owner.loop), ERR_OK);
    for (unsigned i = 0; i < 1000; i++)
        while (mailbox_post(loop_mailbox(owner.loop), &messages[i], count_mail) != ERR_OK)
            sched_yield();
    loop_stop(owner.loop);
    cr_assert_eq(owner.mail, 1000u);
    cr_assert_eq(owner.mail_at_end, 1000u);
    cr_assert_eq(owner.started, 1u);
    cr_assert_eq(owner.ended, 1u);
    cr_assert_geq(owner.turns, 1u);
    cr_assert_not(pthread_equal(owner.thread, pthread_self()));
    loop_stop(owner.loop);
    cr_assert_eq(owner.ended, 1u, "a second stop does nothing");
}

Test(loop, can_be_stopped_without_a_start, .init = a_loop, .fini = clean_up, .timeout = 10)
{
    loop_stop(owner.loop);
    cr_assert_eq(owner.started + owner.ended, 0u);
}

static struct message reply;

static void answer_late(struct message *m, void *arg)
{
    (void)m;
    mailbox_answer(loop_mailbox(((struct owner *)arg)->loop), &reply, count_mail);
}

Test(loop, delivers_answers_posted_during_the_stop, .init = a_loop, .fini = clean_up, .timeout = 10)
{
    static struct message question;

    cr_assert_eq(mailbox_post(loop_mailbox(owner.loop), &question, answer_late), ERR_OK);
    cr_assert_eq(loop_start(owner.loop), ERR_OK);
    loop_stop(owner.loop);
    cr_assert_eq(owner.mail_at_end, 1u);
}

Test(loop, belongs_to_its_thread_after_the_start, .init = a_loop, .signal = SIGABRT, .timeout = 10)
{
    loop_assert_here(owner.loop); /* no thread yet: the opener prepares it */
    cr_assert_eq(loop_start(owner.loop), ERR_OK);
    loop_assert_here(owner.loop);
}

Test(loop, rejects_a_timer_from_another_thread, .init = a_loop, .signal = SIGABRT, .timeout = 10)
{
    static struct timer timer;

    cr_assert_eq(loop_start(owner.loop), ERR_OK);
    loop_set_timer(owner.loop, &timer, 1);
}

Test(loop, rejects_a_watch_from_another_thread, .init = a_loop, .signal = SIGABRT, .timeout = 10)
{
    static struct watch watch;

    cr_assert_eq(loop_start(owner.loop), ERR_OK);
    loop_add(owner.loop, &watch, EPOLLIN);
}

static unsigned fired;
static uint64_t fired_at_ms;

static void fire(struct timer *timer, void *ctx)
{
    (void)timer;
    (void)ctx;
    fired++;
    fired_at_ms = loop_now_ms(owner.loop);
}

Test(loop, waits_for_the_next_timer_and_no_longer, .init = a_loop, .fini = clean_up, .timeout = 10)
{
    struct timer near = {.fire = fire}, far = {.fire = fire};
    uint64_t set_at_ms = loop_now_ms(owner.loop);

    loop_set_timer(owner.loop, &far, 3600000);
    loop_set_timer(owner.loop, &near, 3);
    while (fired == 0)
        loop_turn(owner.loop, -1);
    cr_assert_geq(fired_at_ms, set_at_ms + 3, "never early");
    loop_cancel_timer(owner.loop, &far);
    loop_turn(owner.loop, 0);
    cr_assert_eq(fired, 1u);
}

Test(loop, skips_the_wait_only_once, .init = a_loop, .fini = clean_up, .timeout = 10)
{
    struct timer timer = {.fire = fire};

    loop_set_timer(owner.loop, &timer, 30);
    loop_skip_wait(owner.loop);
    loop_turn(owner.loop, -1); /* would wait for the timer */
    cr_assert_eq(fired, 0u);
    loop_turn(owner.loop, -1);
    while (fired == 0)
        loop_turn(owner.loop, -1);
    cr_assert_leq(owner.turns, 4u, "it waited, it did not spin");
}

static struct timer from_mail = {.fire = fire};
static uint64_t set_at_ms;

static void set_timer(struct message *m, void *arg)
{
    (void)m;
    set_at_ms = clock_mono_ms();
    cr_assert_leq(set_at_ms - loop_now_ms(((struct owner *)arg)->loop), 1000u);
    loop_set_timer(((struct owner *)arg)->loop, &from_mail, 20);
}

/* The loop's cached time is that of its opening; timers set by messages must use this turn's. */
Test(loop, starts_timers_set_by_messages_from_this_turn, .init = a_loop, .fini = clean_up,
     .timeout = 10)
{
    struct message m;
    uint64_t before_ms = loop_now_ms(owner.loop);

    while (clock_mono_ms() < before_ms + 30)
        ;
    mailbox_answer(loop_mailbox(owner.loop), &m, set_timer);
    loop_turn(owner.loop, -1);
    cr_assert_eq(fired, 0u, "30 ms that passed before it was set are not its own");
    while (fired == 0)
        loop_turn(owner.loop, -1);
    cr_assert_geq(fired_at_ms, before_ms + 30 + 20);
    cr_assert_geq(clock_mono_ms(), set_at_ms + 19);
}

static void ready(struct watch *w, uint32_t events)
{
    eventfd_t value;

    (void)events;
    cr_assert_eq(eventfd_read(w->fd, &value), 0);
    *(unsigned *)w->ctx += (unsigned)value;
}

Test(loop, calls_watches_until_they_are_removed, .init = a_loop, .fini = clean_up, .timeout = 10)
{
    unsigned sum = 0;
    struct watch w = {.fd = eventfd(0, EFD_NONBLOCK), .ready = ready, .ctx = &sum};

    cr_assert_eq(loop_add(owner.loop, &w, EPOLLIN), ERR_OK);
    cr_assert_eq(eventfd_write(w.fd, 3), 0);
    loop_turn(owner.loop, -1);
    cr_assert_eq(sum, 3u);
    loop_remove(owner.loop, &w);
    cr_assert_eq(eventfd_write(w.fd, 4), 0);
    loop_turn(owner.loop, 0);
    cr_assert_eq(sum, 3u);
    close(w.fd);
}

static void look_at_signals(struct message *m, void *arg)
{
    sigset_t blocked;

    (void)m;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    ((struct owner *)arg)->mail = sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGHUP);
}

Test(loop, blocks_signals_in_its_thread_only, .init = a_loop, .fini = clean_up, .timeout = 10)
{
    static struct message m;
    sigset_t blocked;

    mailbox_post(loop_mailbox(owner.loop), &m, look_at_signals);
    cr_assert_eq(loop_start(owner.loop), ERR_OK);
    loop_stop(owner.loop);
    cr_assert_eq(owner.mail, 1u);
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    cr_assert_not(sigismember(&blocked, SIGTERM));
}

/* Two loops send requests to each other, many in flight; each is answered to its requester, for a
 * number of rounds. */
enum { IN_FLIGHT = 64, ROUNDS = 1500 };

struct side {
    struct loop *loop;
    struct side *peer;
    unsigned asked, answered;
    struct ball {
        struct request request; /* first */
        struct side *requester;
        unsigned rounds;
    } balls[IN_FLIGHT];
};

static struct side sides[2];
static struct mailbox *done_box;
static struct message done[2];

static void ball_arrives(struct message *m, void *arg)
{
    struct ball *ball = (struct ball *)m;
    struct side *here = arg;

    loop_assert_here(here->loop);
    cr_assert_eq(here, ball->requester->peer);
    here->asked++;
    request_answer(&ball->request, ERR_OK);
}

static void all_are_back(struct message *m, void *arg)
{
    (void)m;
    ++*(unsigned *)arg;
}

static void ball_is_back(struct message *m, void *arg)
{
    struct ball *ball = (struct ball *)m;
    struct side *here = arg;

    loop_assert_here(here->loop);
    cr_assert_eq(here, ball->requester);
    here->answered++;
    if (++ball->rounds < ROUNDS)
        cr_assert_eq(
            mailbox_post(loop_mailbox(here->peer->loop), &ball->request.message, ball_arrives),
            ERR_OK);
    else if (here->answered == IN_FLIGHT * ROUNDS)
        mailbox_answer(done_box, &done[here - sides], all_are_back);
}

static void serve(void *arg)
{
    struct side *side = arg;

    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        struct ball *ball = &side->balls[i];

        ball->requester = side;
        ball->request.answer_to = loop_mailbox(side->loop);
        ball->request.on_answer = ball_is_back;
        cr_assert_eq(
            mailbox_post(loop_mailbox(side->peer->loop), &ball->request.message, ball_arrives),
            ERR_OK);
    }
}

Test(loop, two_loops_exchange_many_requests, .timeout = 60)
{
    unsigned finished = 0;
    struct loop_config config = {.name = "side", .mailbox_limit = 2 * IN_FLIGHT, .started = serve};

    cr_assert_eq(mailbox_open(&done_box, 2, &finished), ERR_OK);
    for (unsigned i = 0; i < 2; i++) {
        config.owner = &sides[i];
        sides[i].peer = &sides[1 - i];
        cr_assert_eq(loop_open(&sides[i].loop, &config), ERR_OK);
    }
    for (unsigned i = 0; i < 2; i++)
        cr_assert_eq(loop_start(sides[i].loop), ERR_OK);
    while (finished < 2) {
        struct pollfd wakeup = {.fd = mailbox_fd(done_box), .events = POLLIN};

        cr_assert_eq(poll(&wakeup, 1, 50000), 1, "no progress");
        mailbox_drain(done_box);
    }
    for (unsigned i = 0; i < 2; i++)
        loop_stop(sides[i].loop);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(sides[i].asked, (unsigned)(IN_FLIGHT * ROUNDS));
        cr_assert_eq(sides[i].answered, (unsigned)(IN_FLIGHT * ROUNDS));
        loop_close(&sides[i].loop);
    }
    mailbox_close(&done_box);
}
