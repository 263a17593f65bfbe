#include "loop/pulse.h"

#include <stddef.h>

/* The loops that this thread has started. Thread-local, so no lock. */
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

void pulse_set_polling(struct pulse *pulse, bool is_polling)
{
    atomic_store_explicit(&pulse->is_polling, is_polling, memory_order_relaxed);
}

void pulse_count_turn(struct pulse *pulse)
{
    atomic_store_explicit(&pulse->turns,
                          atomic_load_explicit(&pulse->turns, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* CPU time of the thread; 0 if it is unknown. */
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

static void take_snapshot(struct pulse *pulse, uint64_t now_ms)
{
    pulse->checked_ms = now_ms;
    pulse->beats = beats(pulse);
    pulse->cpu_ns = cpu_ns(pulse);
}

/* Runs in the pinged loop. */
static void answer(struct message *m, void *owner)
{
    (void)owner;
    request_answer((struct request *)(void *)m, ERR_OK);
}

static void handle_answer(struct message *m, void *owner)
{
    struct pulse *pulse = (struct pulse *)(void *)m;

    (void)owner;
    pulse->is_pending = false;
}

void pulse_ping(struct mailbox *answer_to, uint64_t now_ms)
{
    struct pulse *pulse;

    LIST_FOREACH (pulse, &running, link) {
        if (pulse->is_pending)
            continue;
        pulse->is_pending = true;
        pulse->beat_ms = now_ms;
        take_snapshot(pulse, now_ms);
        pulse->request = (struct request){.answer_to = answer_to, .on_answer = handle_answer};
        mailbox_answer(pulse->box, &pulse->request.message, answer);
    }
}

bool pulse_is_pending(void)
{
    struct pulse *pulse;

    LIST_FOREACH (pulse, &running, link)
        if (pulse->is_pending)
            return true;
    return false;
}

/* True if the thread used the CPU for more than half of the time since the last check. */
static bool is_computing(const struct pulse *pulse, uint64_t now_ms)
{
    return (cpu_ns(pulse) - pulse->cpu_ns) * 2 > (now_ms - pulse->checked_ms) * 1000000u;
}

static bool is_blocked_on_file(const struct pulse *pulse, uint64_t now_ms)
{
    return pulse->works_on_files &&
           !atomic_load_explicit(&pulse->is_polling, memory_order_relaxed) &&
           !is_computing(pulse, now_ms);
}

static enum pulse_state classify(struct pulse *pulse, uint64_t now_ms)
{
    enum pulse_state state = PULSE_STALLED;

    if (!pulse->is_pending || beats(pulse) != pulse->beats) {
        pulse->beat_ms = now_ms;
        state = PULSE_ALIVE;
    } else if (is_blocked_on_file(pulse, now_ms)) {
        state = PULSE_BLOCKED;
    }
    take_snapshot(pulse, now_ms);
    return state;
}

bool pulse_check(uint64_t now_ms, pulse_report_fn *report, void *ctx)
{
    struct pulse *pulse;
    bool is_alive = true;

    LIST_FOREACH (pulse, &running, link) {
        uint64_t since_ms = pulse->beat_ms;
        enum pulse_state state = classify(pulse, now_ms);

        if (pulse->is_reported != (state != PULSE_ALIVE))
            report(ctx, pulse->name, state, now_ms - since_ms);
        pulse->is_reported = state != PULSE_ALIVE;
        is_alive = is_alive && state != PULSE_STALLED;
    }
    return is_alive;
}
