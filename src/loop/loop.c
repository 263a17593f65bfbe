#include "loop/loop.h"

#include "base/clock.h"
#include "base/contract.h"
#include "base/log.h"
#include "loop/pulse.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>

enum { STACK_BYTES = 2 << 20 }; /* independent of ulimit -s */

struct loop {
    struct loop_config config;
    char name[16];
    struct poller *poller;
    struct mailbox *mailbox;
    struct watch mail;
    struct timers timers;
    uint64_t now_ms;
    bool skips_wait;
    bool is_ending; /* owner thread only: set by the message of loop_stop */
    bool is_started;
    struct message stop;
    struct pulse pulse; /* of the thread that starts the loop */
    pthread_t thread;
};

/* The loop that runs in this thread, for loop_assert_here. */
static _Thread_local const struct loop *here;

static void on_mail(struct watch *w, uint32_t events)
{
    struct loop *loop = w->ctx;

    (void)events;
    mailbox_drain(loop->mailbox);
}

enum err loop_open(struct loop **out, const struct loop_config *config)
{
    struct loop *loop = calloc(1, sizeof *loop);
    enum err e = ERR_NO_MEMORY;

    if (loop == NULL)
        return ERR_NO_MEMORY;
    loop->config = *config;
    snprintf(loop->name, sizeof loop->name, "%s", config->name);
    loop->config.name = loop->pulse.name = loop->name;
    loop->pulse.works_on_files = config->works_on_files;
    timers_init(&loop->timers);
    loop->now_ms = clock_mono_ms();
    if ((e = poller_open(&loop->poller)) != ERR_OK)
        goto fail;
    if ((e = mailbox_open(&loop->mailbox, config->mailbox_limit, config->owner)) != ERR_OK)
        goto fail;
    loop->mail = (struct watch){.fd = mailbox_fd(loop->mailbox), .ready = on_mail, .ctx = loop};
    if ((e = poller_add(loop->poller, &loop->mail, EPOLLIN)) != ERR_OK)
        goto fail;
    *out = loop;
    return ERR_OK;
fail:
    loop_close(&loop);
    return e;
}

void loop_close(struct loop **loop)
{
    if (*loop == NULL)
        return;
    CONTRACT(!(*loop)->is_started && !(*loop)->pulse.is_pending);
    mailbox_close(&(*loop)->mailbox);
    poller_close(&(*loop)->poller);
    free(*loop);
    *loop = NULL;
}

void loop_turn(struct loop *loop, int max_ms)
{
    uint64_t deadline_ms;
    int wait_ms = max_ms;

    if (loop->skips_wait) {
        wait_ms = 0;
    } else if (timers_next(&loop->timers, &deadline_ms)) {
        uint64_t now_ms = clock_mono_ms();
        uint64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;

        if (wait_ms < 0 || left_ms < (uint64_t)wait_ms)
            wait_ms = left_ms > INT_MAX ? INT_MAX : (int)left_ms;
    }
    loop->skips_wait = false;
    pulse_set_polling(&loop->pulse, true);
    poller_gather(loop->poller, wait_ms);
    pulse_set_polling(&loop->pulse, false);
    loop->now_ms = clock_mono_ms(); /* after the wait: callbacks set timers relative to it */
    poller_deliver(loop->poller);
    timers_run(&loop->timers, loop->now_ms);
    if (loop->config.after_turn != NULL)
        loop->config.after_turn(loop->config.owner);
    pulse_count_turn(&loop->pulse);
}

static void *run(void *arg)
{
    struct loop *loop = arg;

    log_name_thread(loop->name);
    here = loop;
    loop->now_ms = clock_mono_ms();
    if (loop->config.started != NULL)
        loop->config.started(loop->config.owner);
    while (!loop->is_ending)
        loop_turn(loop, -1);
    /* Deliver the responses that arrived with the stop. */
    while (mailbox_drain(loop->mailbox) > 0)
        ;
    if (loop->config.ended != NULL)
        loop->config.ended(loop->config.owner);
    return NULL;
}

enum err loop_start(struct loop *loop)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int error_number;

    CONTRACT(!loop->is_started);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    loop->is_started = true; /* before pthread_create: the new thread owns the loop */
    error_number = pthread_create(&loop->thread, &attributes, run, loop);
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error_number != 0)
        loop->is_started = false;
    else
        pulse_enter(&loop->pulse, loop->mailbox, loop->thread);
    return err_from_thread(error_number);
}

static void end(struct message *m, void *owner)
{
    struct loop *loop = (struct loop *)(void *)((char *)m - offsetof(struct loop, stop));

    (void)owner;
    loop->is_ending = true;
}

void loop_stop(struct loop *loop)
{
    if (!loop->is_started)
        return;
    CONTRACT(here != loop); /* it would join itself */
    pulse_leave(&loop->pulse);
    mailbox_answer(loop->mailbox, &loop->stop, end);
    pthread_join(loop->thread, NULL);
    loop->is_started = false;
}

struct mailbox *loop_mailbox(struct loop *loop)
{
    return loop->mailbox;
}

void loop_assert_here(const struct loop *loop)
{
    CONTRACT(!loop->is_started || here == loop);
}

enum err loop_add(struct loop *loop, struct watch *w, uint32_t events)
{
    loop_assert_here(loop);
    return poller_add(loop->poller, w, events);
}

void loop_remove(struct loop *loop, struct watch *w)
{
    loop_assert_here(loop);
    poller_remove(loop->poller, w);
}

void loop_set_timer(struct loop *loop, struct timer *timer, uint64_t delay_ms)
{
    loop_assert_here(loop);
    timers_set(&loop->timers, timer, loop->now_ms + delay_ms);
}

void loop_cancel_timer(struct loop *loop, struct timer *timer)
{
    loop_assert_here(loop);
    timers_cancel(&loop->timers, timer);
}

uint64_t loop_now_ms(const struct loop *loop)
{
    loop_assert_here(loop);
    return loop->now_ms;
}

void loop_skip_wait(struct loop *loop)
{
    loop_assert_here(loop);
    loop->skips_wait = true;
}
