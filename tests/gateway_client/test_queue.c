/* Priorities and limits of the queue. */
#include "gateway_client/queue.h"

#include <criterion/criterion.h>

static struct gateway_client_queue queue;
static struct gateway_client_queue_entry *made[32];
static unsigned made_count;

static void open_queue(void)
{
    gateway_client_queue_init(&queue);
}

static void close_queue(void)
{
    while (made_count > 0)
        gateway_client_queue_entry_free(&made[--made_count]);
}

/* A retry if `retry_ms` is not 0. */
static struct gateway_client_queue_entry *make(enum gateway_client_delivery_kind kind,
                                               uint64_t retry_ms)
{
    const char *const text[GATEWAY_CLIENT_TEXT_COUNT] = {[GATEWAY_CLIENT_TEXT_PROTO] = "tcp"};
    struct gateway_client_delivery *d = gateway_client_delivery_new(kind, text);

    cr_assert_not_null(d);
    d->retry_ms = retry_ms;
    made[made_count] = gateway_client_queue_entry_new(d);
    cr_assert_not_null(made[made_count]);
    return made[made_count++];
}

static struct gateway_client_queue_entry *make_ready(enum gateway_client_delivery_kind kind,
                                                     uint64_t retry_ms)
{
    struct gateway_client_queue_entry *entry = make(kind, retry_ms);

    gateway_client_queue_add_ready(&queue, entry, false);
    return entry;
}

/* Posts up to the limits; returns the count. */
static unsigned post_all(void)
{
    struct gateway_client_queue_entry *entry;
    unsigned count = 0;

    while ((entry = gateway_client_queue_next(&queue)) != NULL) {
        gateway_client_queue_mark_in_flight(&queue, entry);
        count++;
    }
    return count;
}

#define QUEUE_TEST(name) Test(queue, name, .init = open_queue, .fini = close_queue, .timeout = 5)

QUEUE_TEST(posts_registrations_before_ends_before_retries)
{
    struct gateway_client_queue_entry *retry = make_ready(GATEWAY_CLIENT_DELIVERY_REGISTER, 200);
    struct gateway_client_queue_entry *end = make_ready(GATEWAY_CLIENT_DELIVERY_END, 0);
    struct gateway_client_queue_entry *first = make_ready(GATEWAY_CLIENT_DELIVERY_REGISTER, 0);

    cr_assert_eq(gateway_client_queue_next(&queue), first);
    gateway_client_queue_mark_in_flight(&queue, first);
    cr_assert_eq(gateway_client_queue_next(&queue), end);
    gateway_client_queue_mark_in_flight(&queue, end);
    cr_assert_eq(gateway_client_queue_next(&queue), retry);
}

QUEUE_TEST(reserves_connections_for_registrations)
{
    for (unsigned i = 0; i < GATEWAY_CLIENT_CONNECTIONS; i++)
        make_ready(GATEWAY_CLIENT_DELIVERY_END, 0);
    cr_assert_eq(post_all(), GATEWAY_CLIENT_ENDS_MAX);
    make_ready(GATEWAY_CLIENT_DELIVERY_REGISTER, 0);
    cr_assert_eq(post_all(), 1);
}

QUEUE_TEST(reserves_connections_for_ends_that_are_not_retries)
{
    for (unsigned i = 0; i < GATEWAY_CLIENT_CONNECTIONS; i++)
        make_ready(GATEWAY_CLIENT_DELIVERY_END, 200);
    cr_assert_eq(post_all(), GATEWAY_CLIENT_RETRIES_MAX);
    make_ready(GATEWAY_CLIENT_DELIVERY_END, 0);
    cr_assert_eq(post_all(), 1);
}

QUEUE_TEST(allows_another_call_when_one_completes)
{
    struct gateway_client_queue_entry *first = make_ready(GATEWAY_CLIENT_DELIVERY_END, 200);

    for (unsigned i = 0; i < GATEWAY_CLIENT_CONNECTIONS; i++)
        make_ready(GATEWAY_CLIENT_DELIVERY_END, 200);
    cr_assert_eq(post_all(), GATEWAY_CLIENT_RETRIES_MAX);
    gateway_client_queue_remove_outstanding(&queue, first);
    gateway_client_queue_remove_outstanding(&queue, first); /* no-op: in no list */
    cr_assert_eq(post_all(), 1);
}

QUEUE_TEST(has_one_notice_due_at_a_time)
{
    struct gateway_client_queue_entry *one = make(GATEWAY_CLIENT_DELIVERY_NOTICE, 0);
    struct gateway_client_queue_entry *two = make(GATEWAY_CLIENT_DELIVERY_NOTICE, 0);

    gateway_client_queue_add_notice(&queue, one);
    gateway_client_queue_add_notice(&queue, two);
    gateway_client_queue_advance_notices(&queue);
    gateway_client_queue_advance_notices(&queue);
    cr_assert_eq(gateway_client_queue_next(&queue), one);
    gateway_client_queue_mark_in_flight(&queue, one);
    cr_assert_null(gateway_client_queue_next(&queue));
    gateway_client_queue_remove_outstanding(&queue, one);
    queue.has_notice_due = false;
    gateway_client_queue_advance_notices(&queue);
    cr_assert_eq(gateway_client_queue_next(&queue), two);
}

QUEUE_TEST(is_idle_with_deferred_entries_only)
{
    struct gateway_client_queue_entry *end;

    gateway_client_queue_defer(&queue, make(GATEWAY_CLIENT_DELIVERY_END, 0));
    cr_assert(gateway_client_queue_is_idle(&queue));
    end = make_ready(GATEWAY_CLIENT_DELIVERY_END, 0);
    cr_assert_not(gateway_client_queue_is_idle(&queue));
    gateway_client_queue_mark_in_flight(&queue, end);
    cr_assert_not(gateway_client_queue_is_idle(&queue));
    gateway_client_queue_remove_outstanding(&queue, end);
    cr_assert(gateway_client_queue_is_idle(&queue));
}

QUEUE_TEST(drains_outstanding_then_deferred_then_ready)
{
    struct gateway_client_queue_list all = TAILQ_HEAD_INITIALIZER(all);
    struct gateway_client_queue_entry *posted = make_ready(GATEWAY_CLIENT_DELIVERY_END, 0);
    struct gateway_client_queue_entry *deferred = make(GATEWAY_CLIENT_DELIVERY_END, 0);
    struct gateway_client_queue_entry *ready;

    gateway_client_queue_defer(&queue, deferred);
    gateway_client_queue_mark_in_flight(&queue, posted);
    ready = make_ready(GATEWAY_CLIENT_DELIVERY_REGISTER, 0);
    gateway_client_queue_drain(&queue, &all);
    cr_assert_eq(TAILQ_FIRST(&all), posted);
    cr_assert_eq(TAILQ_NEXT(posted, link), deferred);
    cr_assert_eq(TAILQ_NEXT(deferred, link), ready);
    cr_assert_null(TAILQ_NEXT(ready, link));
    cr_assert(gateway_client_queue_is_idle(&queue));
    cr_assert_eq(queue.in_flight[GATEWAY_CLIENT_PRIORITY_END], 0);
}
