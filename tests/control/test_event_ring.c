#include "control/event_ring.h"

#include <criterion/criterion.h>

static struct control_event_ring *ring;

static void open_ring(void)
{
    cr_assert_eq(control_event_ring_open(&ring, 4), ERR_OK);
}

static void close_ring(void)
{
    control_event_ring_close(&ring);
}

#define RING_TEST(name) \
    Test(control_event_ring, name, .init = open_ring, .fini = close_ring, .timeout = 5)

static void add(unsigned count, uint64_t lost)
{
    for (unsigned i = 0; i < count; i++)
        control_event_ring_add(ring, event_new(EVENT_SESSION_OPENED, NULL, NULL, NULL), lost);
}

static uint64_t seen[16];
static size_t seen_count;

static void visit(void *ctx, const struct event *e)
{
    (void)ctx;
    seen[seen_count++] = e->number;
}

static struct control_event_page read_ring(uint64_t after, size_t limit)
{
    seen_count = 0;
    return control_event_ring_read(ring, after, limit, visit, NULL);
}

RING_TEST(an_empty_ring_has_nothing)
{
    struct control_event_page page = read_ring(0, 10);

    cr_assert_eq(page.count, 0);
    cr_assert_eq(page.last, 0);
    cr_assert_eq(page.lost, 0);
}

RING_TEST(events_come_in_pages_in_order)
{
    struct control_event_page page;

    add(3, 0);
    page = read_ring(0, 2);
    cr_assert_eq(page.count, 2);
    cr_assert_eq(seen[0], 1);
    cr_assert_eq(page.last, 2);
    page = read_ring(page.last, 2);
    cr_assert_eq(page.count, 1);
    cr_assert_eq(seen[0], 3);
    cr_assert_eq(page.lost, 0);
}

RING_TEST(the_oldest_are_overwritten_and_count_as_lost)
{
    struct control_event_page page;

    add(10, 0);
    page = read_ring(2, 10);
    cr_assert_eq(page.count, 4);
    cr_assert_eq(seen[0], 7);
    cr_assert_eq(page.lost, 4);
    cr_assert_eq(page.last, 10);
}

RING_TEST(lost_events_leave_gaps)
{
    struct control_event_page page;

    add(1, 0);
    add(2, 5);
    cr_assert_eq(control_event_ring_last(ring), 13);
    page = read_ring(0, 10);
    cr_assert_eq(page.count, 3);
    cr_assert_eq(seen[1], 7);
    cr_assert_eq(seen[2], 13);
    cr_assert_eq(page.lost, 10);
    page = read_ring(3, 1);
    cr_assert_eq(page.lost, 3);
    cr_assert_eq(page.last, 7);
}

RING_TEST(a_number_of_an_earlier_run_reads_all_of_this_run)
{
    static const uint64_t earlier[] = {3, 4, 1000, UINT32_MAX, INT64_MAX, UINT64_MAX};
    struct control_event_page page;

    cr_assert_eq(read_ring(1000, 10).last, 0);
    add(2, 0);
    for (size_t i = 0; i < sizeof earlier / sizeof *earlier; i++) {
        page = read_ring(earlier[i], 10);
        cr_assert_eq(page.count, 2);
        cr_assert_eq(seen[0], 1);
        cr_assert_eq(page.last, 2);
        cr_assert_eq(page.lost, 0);
    }
    add(8, 0);
    page = read_ring(1000, 10);
    cr_assert_eq(seen[0], 7);
    cr_assert_eq(page.lost, 6);
}
