#include "loop/mailbox.h"

#include "base/contract.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The lock is the one lock of the message path: held for a few pointer writes, never across a
 * system call. The bell is rung outside of it, and only once for a batch. */

enum { UNHURRIED_MAX = 256 }; /* so much of it may wait in silence */

struct mailbox {
    pthread_mutex_t lock; /* covers what follows, up to is_hurried */
    struct message_list list;
    size_t count;
    bool is_rung; /* since the last drain */
    bool is_shut;
    bool is_hurried;           /* unhurried mail rings, too */
    struct message_list taken; /* the owner's: drained, not yet delivered */
    size_t limit;
    int bell; /* eventfd */
    /* The owner adds, others read (loop/pulse.h): it stands alone, no lock. */
    _Atomic uint64_t delivered;
    void *owner;
};

enum err mailbox_open(struct mailbox **out, size_t limit, void *owner)
{
    struct mailbox *box = calloc(1, sizeof *box);

    if (box == NULL)
        return ERR_NO_MEMORY;
    box->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (box->bell < 0) {
        enum err e = err_from_errno(errno);

        free(box);
        return e;
    }
    pthread_mutex_init(&box->lock, NULL);
    STAILQ_INIT(&box->list);
    STAILQ_INIT(&box->taken);
    box->limit = limit;
    box->owner = owner;
    *out = box;
    return ERR_OK;
}

void mailbox_close(struct mailbox **box)
{
    if (*box == NULL)
        return;
    CONTRACT((*box)->count == 0);
    close((*box)->bell);
    pthread_mutex_destroy(&(*box)->lock);
    free(*box);
    *box = NULL;
}

static void ring(struct mailbox *box)
{
    uint64_t one = 1;

    /* Only a full counter (EAGAIN) can refuse, and then the bell is ringing. */
    ssize_t written = write(box->bell, &one, sizeof one);
    CONTRACT(written == sizeof one || errno == EAGAIN);
}

/* With the lock held: whether this message is the one to ring for. */
static bool must_ring(struct mailbox *box, bool is_unhurried)
{
    bool has_time = box->count < UNHURRIED_MAX && box->count < box->limit;

    if (box->is_rung || (is_unhurried && !box->is_hurried && has_time))
        return false;
    box->is_rung = true;
    return true;
}

struct manner {
    bool is_bounded, is_unhurried;
};

static enum err add(struct mailbox *box, struct message *m, message_fn *deliver,
                    struct manner manner)
{
    enum err e = ERR_OK;
    bool is_ringing = false;

    m->deliver = deliver;
    pthread_mutex_lock(&box->lock);
    if (manner.is_bounded && box->is_shut) {
        e = ERR_CLOSED;
    } else if (manner.is_bounded && box->count >= box->limit) {
        e = ERR_FULL;
    } else {
        STAILQ_INSERT_TAIL(&box->list, m, link);
        box->count++;
        is_ringing = must_ring(box, manner.is_unhurried);
    }
    pthread_mutex_unlock(&box->lock);
    if (is_ringing)
        ring(box);
    return e;
}

enum err mailbox_post(struct mailbox *box, struct message *m, message_fn *deliver)
{
    return add(box, m, deliver, (struct manner){.is_bounded = true});
}

enum err mailbox_post_unhurried(struct mailbox *box, struct message *m, message_fn *deliver)
{
    return add(box, m, deliver, (struct manner){.is_bounded = true, .is_unhurried = true});
}

void mailbox_answer(struct mailbox *box, struct message *m, message_fn *deliver)
{
    add(box, m, deliver, (struct manner){0});
}

void mailbox_answer_list(struct mailbox *box, struct message_list *list, size_t count)
{
    bool is_ringing;

    if (count == 0)
        return;
    pthread_mutex_lock(&box->lock);
    STAILQ_CONCAT(&box->list, list);
    box->count += count;
    is_ringing = must_ring(box, false);
    pthread_mutex_unlock(&box->lock);
    if (is_ringing)
        ring(box);
}

void request_answer(struct request *r, enum err result)
{
    r->result = result;
    if (r->answer_to == NULL)
        r->on_answer(&r->message, NULL);
    else
        mailbox_answer(r->answer_to, &r->message, r->on_answer);
}

size_t mailbox_waiting(struct mailbox *box)
{
    size_t count;

    pthread_mutex_lock(&box->lock);
    count = box->count;
    pthread_mutex_unlock(&box->lock);
    return count;
}

void mailbox_shut(struct mailbox *box)
{
    pthread_mutex_lock(&box->lock);
    box->is_shut = true;
    pthread_mutex_unlock(&box->lock);
}

void mailbox_set_hurried(struct mailbox *box, bool is_hurried)
{
    pthread_mutex_lock(&box->lock);
    box->is_hurried = is_hurried;
    pthread_mutex_unlock(&box->lock);
}

uint64_t mailbox_delivered(const struct mailbox *box)
{
    return atomic_load_explicit(&box->delivered, memory_order_relaxed);
}

static void count_delivered(struct mailbox *box)
{
    atomic_store_explicit(&box->delivered, mailbox_delivered(box) + 1, memory_order_relaxed);
}

int mailbox_fd(const struct mailbox *box)
{
    return box->bell;
}

/* A message may drain again from inside: the oldest is still the first, whoever delivers it. */
size_t mailbox_drain(struct mailbox *box)
{
    struct message *m;
    uint64_t rings;
    size_t count;

    if (read(box->bell, &rings, sizeof rings) < 0)
        CONTRACT(errno == EAGAIN || errno == EINTR);
    pthread_mutex_lock(&box->lock);
    STAILQ_CONCAT(&box->taken, &box->list);
    count = box->count;
    box->count = 0;
    box->is_rung = false;
    pthread_mutex_unlock(&box->lock);
    while ((m = STAILQ_FIRST(&box->taken)) != NULL) {
        STAILQ_REMOVE_HEAD(&box->taken, link);
        m->deliver(m, box->owner);
        count_delivered(box);
    }
    return count;
}
