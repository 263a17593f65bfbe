#include "loop/pulse.h"

#include <stddef.h>

/* The loops that this thread has started: each thread has a list of its own, so no lock. */
static _Thread_local LIST_HEAD(, pulse) running = LIST_HEAD_INITIALIZER(running);

void pulse_enter(struct pulse *pulse, struct mailbox *box, pthread_t thread)
{
    pulse->box = box;
    pulse->is_reported = false;
    pulse->has_cpu_clock = pthread_getcpuclockid(thread, &pulse->cpu_clock) == 0;
    LIST_INSERT_HEAD(&running, pulse, link);
}

void pulse_leave(struct pulse *pulse)
{
    LIST_REMOVE(pulse, link);
}

void pulse_polls(struct pulse *pulse, bool is_polling)
{
    atomic_store_explicit(&pulse->is_polling, is_polling, memory_order_relaxed);
}

void pulse_turned(struct pulse *pulse)
{
    atomic_store_explicit(&pulse->turns,
                          atomic_load_explicit(&pulse->turns, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* CPU time of the thread; 0 if the kernel does not say. */
static uint64_t cpu_ns(const struct pulse *pulse)
{
    struct timespec t;

    if (!pulse->has_cpu_clock || clock_gettime(pulse->cpu_clock, &t) != 0)
        return 0;
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t beats(const struct pulse *pulse)
{
    return atomic_load_explicit(&pulse->turns, memory_order_relaxed) +
           mailbox_delivered(pulse->box);
}

static void remember(struct pulse *pulse, uint64_t now_ms)
{
    pulse->checked_ms = now_ms;
    pulse->beats = beats(pulse);
    pulse->cpu_ns = cpu_ns(pulse);
}

/* In the loop that was pinged. */
static void answer(struct message *m, void *owner)
{
    (void)owner;
    request_answer((struct request *)(void *)m, ERR_OK);
}

static void is_back(struct message *m, void *owner)
{
    struct pulse *pulse = (struct pulse *)(void *)m;

    (void)owner;
    pulse->is_out = false;
}

void pulse_ask(struct mailbox *answer_to, uint64_t now_ms)
{
    struct pulse *pulse;

    LIST_FOREACH (pulse, &running, link) {
        if (pulse->is_out)
            continue;
        pulse->is_out = true;
        pulse->beat_ms = now_ms;
        remember(pulse, now_ms);
        pulse->request = (struct request){.answer_to = answer_to, .on_answer = is_back};
        mailbox_answer(pulse->box, &pulse->request.message, answer);
    }
}

bool pulse_is_missing(void)
{
    struct pulse *pulse;

    LIST_FOREACH (pulse, &running, link)
        if (pulse->is_out)
            return true;
    return false;
}

/* More than half of the time since the last check. */
static bool is_computing(const struct pulse *pulse, uint64_t now_ms)
{
    return (cpu_ns(pulse) - pulse->cpu_ns) * 2 > (now_ms - pulse->checked_ms) * 1000000u;
}

static bool is_in_a_file_call(const struct pulse *pulse, uint64_t now_ms)
{
    return pulse->works_on_files &&
           !atomic_load_explicit(&pulse->is_polling, memory_order_relaxed) &&
           !is_computing(pulse, now_ms);
}

static enum pulse_state judge(struct pulse *pulse, uint64_t now_ms)
{
    enum pulse_state state = PULSE_DEAD;

    if (!pulse->is_out || beats(pulse) != pulse->beats) {
        pulse->beat_ms = now_ms;
        state = PULSE_TURNS;
    } else if (is_in_a_file_call(pulse, now_ms)) {
        state = PULSE_WAITS;
    }
    remember(pulse, now_ms);
    return state;
}

bool pulse_check(uint64_t now_ms, pulse_report_fn *report, void *ctx)
{
    struct pulse *pulse;
    bool is_alive = true;

    LIST_FOREACH (pulse, &running, link) {
        uint64_t since_ms = pulse->beat_ms;
        enum pulse_state state = judge(pulse, now_ms);

        if (pulse->is_reported != (state != PULSE_TURNS))
            report(ctx, pulse->name, state, now_ms - since_ms);
        pulse->is_reported = state != PULSE_TURNS;
        is_alive = is_alive && state != PULSE_DEAD;
    }
    return is_alive;
}
