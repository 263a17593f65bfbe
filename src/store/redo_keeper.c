#include "redo_keeper.h"

#include "base/clock.h"
#include "base/log.h"

/* A look each LOOK_MS, so a block waits LOOK_MS to twice that for the sync of what it stands for.
 */
enum { LOOK_MS = 5000, LOOK_MOST_MS = 60000 };

static void fire(struct timer *timer, void *ctx);

void redo_keeper_init(struct redo_keeper *k, struct inbox *inbox, struct loop *loop,
                      struct loop *bulk)
{
    *k = (struct redo_keeper){.inbox = inbox, .loop = loop, .bulk = bulk, .pause_ms = LOOK_MS};
    k->timer = (struct timer){.fire = fire, .ctx = k};
    k->making.keeper = k;
    for (unsigned i = 0; i < 2; i++)
        k->settling[i] = (struct redo_errand){.keeper = k, .half = i};
}

static void went_well(struct redo_keeper *k)
{
    k->pause_ms = LOOK_MS;
    k->is_failure_told = false;
}

/* One line, until it works again. */
static void went_wrong(struct redo_keeper *k, const char *what, enum err e)
{
    k->pause_ms = 2 * k->pause_ms < LOOK_MOST_MS ? 2 * k->pause_ms : LOOK_MOST_MS;
    if (!k->is_failure_told)
        log_warning("inbox %s: the redo log cannot be %s: %s; small files are synced without it, "
                    "which takes longer; it is tried again",
                    k->inbox->path, what, err_text(e));
    k->is_failure_told = true;
}

/* Refused when the bulk thread has much to do or is about to end: then later. */
static bool send_off(struct redo_errand *errand, message_fn *deliver)
{
    struct mailbox *bulk = loop_mailbox(errand->keeper->bulk);

    errand->is_under_way = mailbox_post(bulk, &errand->message, deliver) == ERR_OK;
    return errand->is_under_way;
}

static struct redo_errand *of_message(struct message *m)
{
    return (struct redo_errand *)(void *)m;
}

/* --- settling ----------------------------------------------------------------------------------
 */

/* A broken journal is written anew here, too: perhaps no batch follows that would do it. */
static void finish_half(struct redo_keeper *k, unsigned number, enum err e)
{
    struct inbox *in = k->inbox;
    struct redo_half *half = &in->redo->halves[number];

    half->state = HALF_RETIRED;
    if (e == ERR_OK && (e = journal_mend(in->journal)) == ERR_OK)
        e = journal_sync(in->journal);
    if (e == ERR_OK)
        e = redo_clean(in->redo, half);
    if (e == ERR_OK)
        went_well(k);
    else
        went_wrong(k, "cleared", e);
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
    struct redo *redo = errand->keeper->inbox->redo;

    (void)owner;
    errand->result = redo_settle(redo, &redo->halves[errand->half]);
    mailbox_answer(loop_mailbox(errand->keeper->loop), m, settled);
}

static void settle_retired(struct redo_keeper *k)
{
    for (unsigned i = 0; i < 2; i++) {
        struct redo_half *half = &k->inbox->redo->halves[i];

        if (half->state == HALF_RETIRED && send_off(&k->settling[i], settle))
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
        went_well(k);
    else
        went_wrong(k, "made", errand->result);
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

static void watch(struct redo_keeper *k)
{
    if (!k->timer.is_set)
        loop_set_timer(k->loop, &k->timer, k->pause_ms);
}

/* A power cut brings back what was taken away since: so no block stays for long, however few come.
 * But there must be a half to go on with. */
static bool is_old(const struct redo *r)
{
    return r->current != NULL && r->current->state == HALF_WRITTEN && redo_has_clean_half(r) &&
           clock_mono_ms() - r->current->since_ms >= LOOK_MS;
}

static void fire(struct timer *timer, void *ctx)
{
    struct redo_keeper *k = ctx;
    struct redo *r = k->inbox->redo;

    (void)timer;
    if (r == NULL)
        return;
    if (is_old(r))
        redo_retire(r);
    settle_retired(k);
    if (redo_has_blocks(r))
        watch(k);
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
        send_off(&k->making, make);
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
            finish_half(k, i, redo_settle(r, &r->halves[i]));
}
