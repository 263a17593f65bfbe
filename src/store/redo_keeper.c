#include "redo_keeper.h"

#include "base/log.h"

enum { REST_MS = 5000 };

static void fire(struct timer *timer, void *ctx);

void redo_keeper_init(struct redo_keeper *k, struct inbox *inbox, struct loop *loop,
                      struct loop *bulk)
{
    *k = (struct redo_keeper){.inbox = inbox, .loop = loop, .bulk = bulk};
    k->timer = (struct timer){.fire = fire, .ctx = k};
}

/* One line, until it works again. */
static void tell_failure(struct redo_keeper *k, const char *what, enum err e)
{
    if (!k->is_failure_told)
        log_warning("inbox %s: the redo log cannot be %s: %s; small files are synced without it, "
                    "which takes longer; it is tried again",
                    k->inbox->path, what, err_text(e));
    k->is_failure_told = true;
}

/* Refused when the bulk thread has much to do or is about to end: then later. */
static bool send_off(struct redo_keeper *k, struct redo_errand *errand, message_fn *deliver)
{
    errand->keeper = k;
    errand->is_under_way = mailbox_post(loop_mailbox(k->bulk), &errand->message, deliver) == ERR_OK;
    return errand->is_under_way;
}

static struct redo_errand *of_message(struct message *m)
{
    return (struct redo_errand *)(void *)m;
}

/* --- settling ----------------------------------------------------------------------------------
 */

static void finish_half(struct redo_keeper *k, struct redo_half *half, enum err e)
{
    struct inbox *in = k->inbox;

    half->state = HALF_RETIRED;
    if (e == ERR_OK && !journal_is_broken(in->journal))
        e = journal_sync(in->journal);
    else if (e == ERR_OK)
        e = ERR_IO; /* it is written anew before the next batch */
    if (e == ERR_OK)
        e = redo_clean(in->redo, half);
    if (e == ERR_OK)
        k->is_failure_told = false;
    else
        tell_failure(k, "cleared", e);
}

static void settled(struct message *m, void *owner)
{
    struct redo_errand *errand = of_message(m);

    (void)owner;
    errand->is_under_way = false;
    finish_half(errand->keeper, errand->half, errand->result);
}

/* In the bulk thread. */
static void settle(struct message *m, void *owner)
{
    struct redo_errand *errand = of_message(m);

    (void)owner;
    errand->result = redo_settle(errand->keeper->inbox->redo, errand->half);
    mailbox_answer(loop_mailbox(errand->keeper->loop), m, settled);
}

static void settle_retired(struct redo_keeper *k)
{
    for (unsigned i = 0; i < 2; i++) {
        struct redo_half *half = &k->inbox->redo->halves[i];

        k->settling[i].half = half;
        if (half->state == HALF_RETIRED && send_off(k, &k->settling[i], settle))
            half->state = HALF_SETTLING;
    }
}

/* --- making ------------------------------------------------------------------------------------
 */

static void made(struct message *m, void *owner)
{
    struct redo_errand *errand = of_message(m);
    struct redo_keeper *k = errand->keeper;

    (void)owner;
    errand->is_under_way = false;
    k->inbox->redo = errand->made;
    if (errand->result == ERR_OK)
        k->is_failure_told = false;
    else
        tell_failure(k, "made", errand->result);
}

/* In the bulk thread. */
static void make(struct message *m, void *owner)
{
    struct redo_errand *errand = of_message(m);
    struct inbox *in = errand->keeper->inbox;

    (void)owner;
    errand->result = redo_make(&errand->made, in, in->redo_bytes);
    mailbox_answer(loop_mailbox(errand->keeper->loop), m, made);
}

/* --- when --------------------------------------------------------------------------------------
 */

static uint64_t blocks_written(const struct redo *r)
{
    return r->halves[0].epoch + r->halves[0].used + r->halves[1].epoch + r->halves[1].used;
}

static void watch(struct redo_keeper *k)
{
    if (!k->timer.is_set)
        loop_set_timer(k->loop, &k->timer, REST_MS);
}

/* At rest: a power cut in an hour has nothing to bring back. */
static void look_for_rest(struct redo_keeper *k)
{
    struct redo *r = k->inbox->redo;
    bool is_at_rest = blocks_written(r) == k->seen;

    k->seen = blocks_written(r);
    if (is_at_rest && r->current != NULL && r->current->state == HALF_WRITTEN)
        redo_retire(r);
    settle_retired(k);
    if (redo_has_blocks(r))
        watch(k);
}

static void fire(struct timer *timer, void *ctx)
{
    struct redo_keeper *k = ctx;

    (void)timer;
    if (k->inbox->redo != NULL)
        look_for_rest(k);
}

static void tell_workers(struct redo_keeper *k)
{
    const struct redo *r = k->inbox->redo;

    atomic_store_explicit(&k->inbox->is_logging, r != NULL && r->current != NULL,
                          memory_order_relaxed);
}

static void retire_full(struct redo_keeper *k)
{
    if (!redo_is_nearly_full(k->inbox->redo))
        return;
    redo_retire(k->inbox->redo);
    settle_retired(k);
}

void redo_keeper_tend(struct redo_keeper *k)
{
    struct redo *r = k->inbox->redo;

    if (k->inbox->redo_bytes == 0)
        return;
    if (r == NULL && !k->making.is_under_way && !k->timer.is_set)
        send_off(k, &k->making, make);
    if (r != NULL)
        retire_full(k);
    watch(k);
    tell_workers(k);
}

void redo_keeper_finish(struct redo_keeper *k)
{
    struct redo *r = k->inbox->redo;

    if (r == NULL || !redo_has_blocks(r))
        return;
    if (r->current != NULL && r->current->state == HALF_WRITTEN)
        redo_retire(r);
    for (unsigned i = 0; i < 2; i++)
        if (r->halves[i].state == HALF_RETIRED)
            finish_half(k, &r->halves[i], redo_settle(r, &r->halves[i]));
}
