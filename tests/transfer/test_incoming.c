#include "transfer/incoming.h"

#include "transfer/transfer_support.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(transfer_incoming, .timeout = 60, .init = context_open);

static struct transfer_incoming_list list = {.head = TAILQ_HEAD_INITIALIZER(list.head)};

/* NULL: detached already. */
static struct transfer_incoming *begin(int32_t file_id, uint32_t size_bytes)
{
    cr_assert_eq(
        transfer_incoming_new(&context, &peer, &callbacks, &heard, &list, file_id, size_bytes),
        ERR_OK);
    return TAILQ_FIRST(&list.head);
}

Test(transfer_incoming, is_committed_and_reported_with_its_last_byte)
{
    struct transfer_incoming *in = begin(5, 9);

    cr_assert_not_null(in);
    cr_expect_eq(transfer_incoming_write(in, "in ", 3), ERR_OK);
    cr_expect(transfer_incoming_is_receiving(in));
    cr_expect_eq(transfer_incoming_write(in, "pieces", 6), ERR_OK);
    cr_expect_not(transfer_incoming_is_receiving(in));
    UNTIL(transfer_is_idle(&context));
    cr_expect_eq(heard.committed, 1);
    cr_expect_eq(heard.last_id, 5);
    cr_expect_eq(list.count, 0);
    cr_expect_eq(told.registered, 1);
    cr_expect_eq(told.finished, 1);
    cr_expect_eq(told.last_bytes, 9);
    cr_expect_str_eq(told.last_proto, "carrier");
    cr_expect(is_file(told.last_path, "in pieces", 9));
    context_close();
}

Test(transfer_incoming, takes_no_byte_beyond_its_size)
{
    struct transfer_incoming *in = begin(1, 4);

    cr_expect_eq(transfer_incoming_write(in, "abc", 3), ERR_OK);
    cr_expect_eq(transfer_incoming_write(in, "de", 2), ERR_TOO_LARGE);
    cr_expect(transfer_incoming_is_receiving(in));
    transfer_incoming_fail(in, "more bytes than announced");
    UNTIL(transfer_is_idle(&context));
    cr_expect_eq(told.failed, 1);
    cr_expect_eq(told.last_bytes, 3);
    cr_expect_str_eq(told.last_error, "more bytes than announced");
    cr_expect_eq(heard.committed + heard.refused, 0, "no callback to the caller that failed it");
    context_close();
}

Test(transfer_incoming, outlives_its_session_when_complete)
{
    struct transfer_incoming *in = begin(1, 5);

    cr_expect_eq(transfer_incoming_write(in, "whole", 5), ERR_OK);
    transfer_incoming_detach(in);
    cr_expect_eq(list.count, 0);
    UNTIL(transfer_is_idle(&context));
    cr_expect_eq(heard.committed, 0, "no session is attached");
    cr_expect_eq(told.finished, 1);
    context_close();
}

Test(transfer_incoming, fails_when_the_gateway_refuses_the_registration)
{
    told.refusal = ERR_FULL;
    cr_expect_null(begin(3, 5));
    cr_expect_eq(heard.gateway_lost, 1);
    cr_expect_eq(heard.last_id, 3);
    cr_expect_str_eq(heard.last_reason, err_text(ERR_FULL));
    UNTIL(transfer_is_idle(&context));
    cr_expect_eq(told.failed + told.finished, 0, "the gateway does not know it");
    context_close();
}

Test(transfer_incoming, too_many_pending_removals_of_partial_files_are_backpressure)
{
    enum { MOST = 2000 };
    struct transfer_incoming *in;

    cr_expect_not(transfer_is_backpressured(&context));
    for (int32_t i = 0; i < MOST; i++) {
        in = begin(i, 5);
        cr_expect_not(transfer_is_backpressured(&context));
        transfer_incoming_fail(in, "aborted");
    }
    cr_expect(transfer_is_backpressured(&context));
    UNTIL(transfer_is_idle(&context));
    cr_expect_not(transfer_is_backpressured(&context));
    told.is_full = true;
    cr_expect(transfer_is_backpressured(&context), "by the gateway");
    context_close();
}

/* In one minute: bytes received by the session, those of the first file, the number of files, and
 * for how many minutes before the first file received nothing. */
static const struct pace {
    const char *what;
    uint64_t session_bytes, own_bytes;
    unsigned files, quiet_minutes;
    bool is_stalled;
} paces[] = {
    {"a file alone, nothing", 0, 0, 1, 0, true},
    {"a file alone, too slow", 61439, 61439, 1, 0, true},
    {"a file alone, fast enough", 61440, 61440, 1, 0, false},
    {"20 in turn on a slow line", 900000, 45000, 20, 0, false},
    {"20 in turn, not its turn yet", 900000, 0, 20, 1, false},
    {"20 in turn, all too slow", 61439, 3000, 20, 0, true},
    {"20 in turn, just fast enough", 61440, 3072, 20, 0, false},
    {"one forgotten beside another", 900000, 0, 2, 1, true},
    {"one forgotten beside 39", 900000, 0, 40, 39, true},
    {"one late beside 39", 900000, 0, 40, 38, false},
    {"a byte after a long pause", 900000, 1, 2, 10, false},
    {"one alone that got nothing, the others are whole", 900000, 0, 1, 0, true},
};

/* The first file, as the row says. */
static struct transfer_incoming *play_pace(const struct pace *p)
{
    uint64_t now_ms = loop_now_ms(context.loop);
    struct transfer_incoming *in, *first;

    for (unsigned i = 0; i < p->files; i++)
        begin((int32_t)i + 1, 1 << 20);
    list.received_bytes = p->session_bytes;
    TAILQ_FOREACH (in, &list.head, link)
        in->window = (struct transfer_stall_window){.start_ms = now_ms - 60000, .own_ms = now_ms};
    first = TAILQ_FIRST(&list.head);
    first->file.written_bytes = p->own_bytes;
    first->window.own_ms -= (p->quiet_minutes + 1) * 60000;
    return first;
}

static void end_all(void)
{
    while (!TAILQ_EMPTY(&list.head))
        transfer_incoming_fail(TAILQ_FIRST(&list.head), "aborted");
    UNTIL(transfer_is_idle(&context));
}

Test(transfer_incoming, concurrent_files_are_stalled_by_the_rate_of_their_session)
{
    for (size_t i = 0; i < sizeof paces / sizeof *paces; i++) {
        cr_expect_eq(transfer_incoming_is_stalled(play_pace(&paces[i]), true), paces[i].is_stalled,
                     "%s", paces[i].what);
        end_all();
    }
    context_close();
}

Test(transfer_incoming, is_not_stalled_within_its_window_or_while_our_side_blocks)
{
    struct transfer_incoming *in = play_pace(&paces[0]);

    in->window.start_ms += 30000;
    cr_expect_not(transfer_incoming_is_stalled(in, true), "half a minute");
    in->window.start_ms -= 30000;
    cr_expect_not(transfer_incoming_is_stalled(in, false), "unread");
    in->window.start_ms -= 60000;
    cr_expect(transfer_incoming_is_stalled(in, true), "the minute after");
    transfer_incoming_restart_timeout(in);
    cr_expect_not(transfer_incoming_is_stalled(in, true), "held");
    end_all();
    context_close();
}
