#include "control/send_table.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct control_send_table *sends;

static void open_sends(void)
{
    cr_assert_eq(control_send_table_open(&sends), ERR_OK);
}

static void close_sends(void)
{
    control_send_table_close(&sends);
}

#define SENDS_TEST(name) Test(sends, name, .init = open_sends, .fini = close_sends, .timeout = 10)

static void finish(uint64_t id, enum gateway_transfer_status status, uint64_t now_ms)
{
    struct send_request outcome = {.id = id, .status = status, .sent_bytes = 5, .transfer_id = 9};

    snprintf(outcome.error, sizeof outcome.error, status == GATEWAY_TRANSFER_FAILED ? "gone" : "");
    control_send_table_finish(sends, &outcome, now_ms);
}

SENDS_TEST(ids_increase_and_results_are_kept)
{
    struct control_send_table_result result;
    uint64_t one = control_send_table_begin(sends, 100, 1000),
             two = control_send_table_begin(sends, 0, 1000);

    cr_assert_neq(one, 0);
    cr_assert_eq(two, one + 1);
    cr_assert(control_send_table_lookup(sends, one, 1500, &result));
    cr_assert_not(result.is_done);
    cr_assert_float_eq(result.seconds, 0.5, 1e-9);
    finish(one, GATEWAY_TRANSFER_FAILED, 3000);
    cr_assert(control_send_table_lookup(sends, one, 9000, &result));
    cr_assert(result.is_done);
    cr_assert_eq(result.status, GATEWAY_TRANSFER_FAILED);
    cr_assert_eq(result.size_bytes, 100);
    cr_assert_eq(result.sent_bytes, 5);
    cr_assert_float_eq(result.seconds, 2.0, 1e-9);
    cr_assert_str_eq(result.error, "gone");
    cr_assert_eq(control_send_table_pending(sends), 1);
}

static void count_one(void *ctx)
{
    (*(unsigned *)ctx)++;
}

SENDS_TEST(watches_are_notified_once)
{
    unsigned notified[4] = {0};
    struct control_send_table_watch watches[4];
    uint64_t one = control_send_table_begin(sends, 1, 0),
             two = control_send_table_begin(sends, 1, 0);

    for (unsigned i = 0; i < 4; i++) {
        watches[i] = (struct control_send_table_watch){.done = count_one, .ctx = &notified[i]};
        cr_assert(control_send_table_watch(sends, i < 3 ? one : two, &watches[i]));
    }
    control_send_table_unwatch(&watches[1]);
    control_send_table_unwatch(&watches[1]); /* a no-op */
    finish(one, GATEWAY_TRANSFER_FINISHED, 1);
    cr_expect_eq(notified[0], 1);
    cr_expect_eq(notified[1], 0, "unwatched");
    cr_expect_eq(notified[2], 1);
    cr_expect_eq(notified[3], 0, "the other send is pending");
    cr_expect(!control_send_table_watch(sends, one, &watches[0]), "completed");
    cr_expect(!watches[0].is_linked);
    finish(two, GATEWAY_TRANSFER_FAILED, 1);
    cr_expect_eq(notified[3], 1);
    control_send_table_unwatch(&watches[3]);
}

SENDS_TEST(unknown_ids_are_not_found)
{
    struct control_send_table_result result;
    struct control_send_table_watch watch = {.done = count_one};

    cr_assert_not(control_send_table_watch(sends, 77, &watch));
    cr_assert_not(control_send_table_lookup(sends, 77, 0, &result));
}

SENDS_TEST(a_removed_send_is_unknown)
{
    uint64_t id = control_send_table_begin(sends, 1, 0);
    struct control_send_table_result result;

    control_send_table_remove(sends, id);
    cr_assert_eq(control_send_table_pending(sends), 0);
    cr_assert_not(control_send_table_lookup(sends, id, 0, &result));
}

SENDS_TEST(results_expire_after_ten_minutes_or_a_minute_after_being_reported)
{
    uint64_t notified = control_send_table_begin(sends, 1, 0),
             unreported = control_send_table_begin(sends, 1, 0),
             open = control_send_table_begin(sends, 1, 0);

    finish(notified, GATEWAY_TRANSFER_FINISHED, 0);
    finish(unreported, GATEWAY_TRANSFER_FINISHED, 0);
    control_send_table_mark_reported(sends, notified, 1000);
    control_send_table_mark_reported(sends, open, 1000);
    control_send_table_expire(sends, 60999);
    cr_assert_eq(control_send_table_completed(sends), 2);
    control_send_table_expire(sends, 61000);
    cr_assert_eq(control_send_table_completed(sends), 1);
    control_send_table_expire(sends, 600000);
    cr_assert_eq(control_send_table_completed(sends), 0);
    cr_assert_eq(control_send_table_pending(sends), 1);
}

SENDS_TEST(results_are_limited)
{
    uint64_t first = control_send_table_begin(sends, 1, 0), second = 0;

    finish(first, GATEWAY_TRANSFER_FINISHED, 0);
    for (unsigned i = 0; i < CONTROL_SEND_TABLE_COMPLETED_MAX; i++) {
        uint64_t id = control_send_table_begin(sends, 1, 0);

        second = second == 0 ? id : second;
        finish(id, GATEWAY_TRANSFER_FINISHED, 0);
    }
    struct control_send_table_result result;
    cr_assert_eq(control_send_table_completed(sends), CONTROL_SEND_TABLE_COMPLETED_MAX);
    cr_assert_not(control_send_table_lookup(sends, first, 0, &result));
    cr_assert(control_send_table_lookup(sends, second, 0, &result));
}
