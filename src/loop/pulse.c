#include "loop/pulse.h"

#include <stddef.h>

/* The loops that this thread has started: each thread has a list of its own, so no lock. */
static _Thread_local LIST_HEAD(, pulse) running = LIST_HEAD_INITIALIZER(running);

void pulse_enter(struct pulse *pulse, struct mailbox *box, const char *name)
{
    pulse->box = box;
    pulse->name = name;
    LIST_INSERT_HEAD(&running, pulse, link);
}

void pulse_leave(struct pulse *pulse)
{
    LIST_REMOVE(pulse, link);
}

/* In the loop that was asked. */
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

void pulse_ask(struct mailbox *answer_to)
{
    struct pulse *pulse;

    LIST_FOREACH (pulse, &running, link) {
        if (pulse->is_out)
            continue;
        pulse->is_out = true;
        pulse->request = (struct request){.answer_to = answer_to, .on_answer = is_back};
        mailbox_answer(pulse->box, &pulse->request.message, answer);
    }
}

const char *pulse_missing(void)
{
    struct pulse *pulse;

    LIST_FOREACH (pulse, &running, link)
        if (pulse->is_out)
            return pulse->name;
    return NULL;
}
