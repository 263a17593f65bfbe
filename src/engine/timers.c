#include "engine/timers.h"

#include "base/contract.h"

#include <stddef.h>

/* Pairing heap (Fredman, Sedgewick, Sleator, Tarjan 1986): no timer is later than its children;
 * children are linked through `sibling`. Joining two heaps makes one the first child of the other;
 * removing a timer joins its children in pairs, for an amortised cost of O(log n). */

static struct timer *join(struct timer *a, struct timer *b)
{
    struct timer *swap;

    if (a == NULL)
        return b;
    if (b == NULL)
        return a;
    if (b->deadline_ms < a->deadline_ms) {
        swap = a;
        a = b;
        b = swap;
    }
    b->sibling = a->child;
    if (b->sibling != NULL)
        b->sibling->backlink = &b->sibling;
    a->child = b;
    b->backlink = &a->child;
    return a;
}

static struct timer *join_pairs(struct timer *list)
{
    struct timer *pairs = NULL, *joined = NULL, *next;

    while (list != NULL) { /* first pass, left to right: join pairs and stack them */
        struct timer *a = list, *b = a->sibling;

        next = b == NULL ? NULL : b->sibling;
        a->sibling = NULL;
        if (b != NULL)
            b->sibling = NULL;
        a = join(a, b);
        a->sibling = pairs;
        pairs = a;
        list = next;
    }
    while (pairs != NULL) { /* second pass, right to left */
        next = pairs->sibling;
        pairs->sibling = NULL;
        joined = join(joined, pairs);
        pairs = next;
    }
    return joined;
}

static void set_root(struct timers *t, struct timer *root)
{
    t->root = root;
    if (root != NULL) {
        root->sibling = NULL;
        root->backlink = &t->root;
    }
}

void timers_init(struct timers *t)
{
    *t = (struct timers){0};
}

void timers_set(struct timers *t, struct timer *timer, uint64_t deadline_ms)
{
    CONTRACT(timer->fire != NULL);
    timers_cancel(t, timer);
    timer->deadline_ms = deadline_ms < t->earliest_ms ? t->earliest_ms : deadline_ms;
    timer->is_set = true;
    timer->child = timer->sibling = NULL;
    set_root(t, join(t->root, timer));
}

void timers_cancel(struct timers *t, struct timer *timer)
{
    struct timer *children;

    if (!timer->is_set)
        return;
    children = join_pairs(timer->child);
    if (t->root == timer) {
        set_root(t, children);
    } else {
        *timer->backlink = timer->sibling;
        if (timer->sibling != NULL)
            timer->sibling->backlink = timer->backlink;
        set_root(t, join(t->root, children));
    }
    timer->is_set = false;
}

bool timers_next(struct timers *t, uint64_t *deadline_ms)
{
    if (t->root == NULL)
        return false;
    *deadline_ms = t->root->deadline_ms;
    return true;
}

void timers_run(struct timers *t, uint64_t now_ms)
{
    t->earliest_ms = now_ms + 1;
    while (t->root != NULL && t->root->deadline_ms <= now_ms) {
        struct timer *first = t->root;

        timers_cancel(t, first);
        first->fire(first, first->ctx);
    }
    t->earliest_ms = 0;
}
