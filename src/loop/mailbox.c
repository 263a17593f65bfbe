#include "loop/mailbox.h"

#include "base/contract.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* The only lock of the message path: held for a few pointer writes, never across a system call. The
 * eventfd is written outside of it, and only once per batch. */

enum { DEFERRED_MAX = 256 }; /* queued messages at which a deferred one wakes the owner */

struct mailbox {
    pthread_mutex_t lock; /* protects the following members, up to is_immediate */
    struct message_list list;
    size_t count;
    bool is_woken; /* since the last drain */
    bool is_shut;
    bool is_immediate;         /* deferred messages wake the owner, too */
    struct message_list taken; /* owner thread: drained, not yet delivered */
    size_t limit;
    int wakeup_fd; /* eventfd */
    /* Written by the owner, read by other threads (loop/pulse.h); independent of other data. */
    _Atomic uint64_t delivered;
    void *owner;
};

enum err mailbox_open(struct mailbox **out, size_t limit, void *owner)
{
    struct mailbox *box = calloc(1, sizeof *box);

    if (box == NULL)
        return ERR_NO_MEMORY;
    box->wakeup_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (box->wakeup_fd < 0) {
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
    close((*box)->wakeup_fd);
    pthread_mutex_destroy(&(*box)->lock);
    free(*box);
    *box = NULL;
}

static void wake(struct mailbox *box)
{
    uint64_t one = 1;

    /* EAGAIN means that the counter is full, so the eventfd is readable. */
    ssize_t written = write(box->wakeup_fd, &one, sizeof one);
    CONTRACT(written == sizeof one || errno == EAGAIN);
}

/* With the lock held. True if the caller must wake the owner. */
static bool must_wake(struct mailbox *box, bool is_deferred)
{
    bool can_wait = box->count < DEFERRED_MAX && box->count < box->limit;

    if (box->is_woken || (is_deferred && !box->is_immediate && can_wait))
        return false;
    box->is_woken = true;
    return true;
}

struct post_mode {
    bool is_bounded, is_deferred;
};

static enum err add(struct mailbox *box, struct message *m, message_fn *deliver,
                    struct post_mode mode)
{
    enum err e = ERR_OK;
    bool is_waking = false;

    m->deliver = deliver;
    pthread_mutex_lock(&box->lock);
    if (mode.is_bounded && box->is_shut) {
        e = ERR_CLOSED;
    } else if (mode.is_bounded && box->count >= box->limit) {
        e = ERR_FULL;
    } else {
        STAILQ_INSERT_TAIL(&box->list, m, link);
        box->count++;
        is_waking = must_wake(box, mode.is_deferred);
    }
    pthread_mutex_unlock(&box->lock);
    if (is_waking)
        wake(box);
    return e;
}

enum err mailbox_post(struct mailbox *box, struct message *m, message_fn *deliver)
{
    return add(box, m, deliver, (struct post_mode){.is_bounded = true});
}

enum err mailbox_post_deferred(struct mailbox *box, struct message *m, message_fn *deliver)
{
    return add(box, m, deliver, (struct post_mode){.is_bounded = true, .is_deferred = true});
}

void mailbox_answer(struct mailbox *box, struct message *m, message_fn *deliver)
{
    add(box, m, deliver, (struct post_mode){0});
}

void mailbox_answer_list(struct mailbox *box, struct message_list *list, size_t count)
{
    bool is_waking;

    if (count == 0)
        return;
    pthread_mutex_lock(&box->lock);
    STAILQ_CONCAT(&box->list, list);
    box->count += count;
    is_waking = must_wake(box, false);
    pthread_mutex_unlock(&box->lock);
    if (is_waking)
        wake(box);
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

void mailbox_set_immediate(struct mailbox *box, bool is_immediate)
{
    pthread_mutex_lock(&box->lock);
    box->is_immediate = is_immediate;
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
    return box->wakeup_fd;
}

/* A message's callback can call this again: the order of delivery is kept. */
size_t mailbox_drain(struct mailbox *box)
{
    struct message *m;
    uint64_t wakeups;
    size_t count;

    if (read(box->wakeup_fd, &wakeups, sizeof wakeups) < 0)
        CONTRACT(errno == EAGAIN || errno == EINTR);
    pthread_mutex_lock(&box->lock);
    STAILQ_CONCAT(&box->taken, &box->list);
    count = box->count;
    box->count = 0;
    box->is_woken = false;
    pthread_mutex_unlock(&box->lock);
    while ((m = STAILQ_FIRST(&box->taken)) != NULL) {
        STAILQ_REMOVE_HEAD(&box->taken, link);
        m->deliver(m, box->owner);
        count_delivered(box);
    }
    return count;
}
