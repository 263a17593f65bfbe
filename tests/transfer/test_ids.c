#include "transfer/ids.h"

#include "gateway/gateway_ops.h"
#include "transfer/transfer_support.h"

#include <criterion/criterion.h>

TestSuite(transfer_ids, .timeout = 60);

Test(transfer_ids, a_new_block_comes_before_the_old_one_is_used_up)
{
    struct transfer_ids_pool *pool = &context.ids;
    uint32_t last = 0;

    context_open();
    pool->present.end = pool->present.next + 3;
    for (int i = 0; i < 6; i++) {
        uint32_t id = transfer_ids_next(pool);

        cr_assert_gt(id, last);
        last = id;
        UNTIL(!pool->is_requesting);
    }
    cr_expect_gt(last, (uint32_t)TRANSFER_IDS_BLOCK, "of the second block");
    context_close();
}

Test(transfer_ids, there_is_none_while_the_journal_does_not_answer)
{
    struct transfer_ids_pool *pool = &context.ids;

    context_open();
    pool->present.end = pool->present.next + 1;
    cr_expect_neq(transfer_ids_next(pool), 0);
    cr_expect(pool->is_requesting);
    cr_expect_not(transfer_is_idle(&context), "the request is the committer's");
    cr_expect_eq(transfer_ids_next(pool), 0);
    UNTIL(!pool->is_requesting);
    cr_expect_neq(transfer_ids_next(pool), 0);
    context_close();
}

static unsigned blocks_used(void)
{
    struct transfer_ids_block *used;
    unsigned count = 0;

    SLIST_FOREACH(used, &context.ids.used, link)
    count++;
    return count;
}

/* A block's first and last id; those between are skipped. */
static void use_a_block(uint32_t *first, uint32_t *last)
{
    *first = transfer_ids_next(&context.ids);
    context.ids.present.next = context.ids.present.end - 1;
    *last = transfer_ids_next(&context.ids);
    UNTIL(!context.ids.is_requesting);
}

Test(transfer_ids, a_block_is_returned_when_none_of_its_ids_is_in_use)
{
    enum { BLOCKS = 3 * (TRANSFER_ID_MAX / TRANSFER_IDS_BLOCK) };
    uint32_t first, last, slow = 0;

    context_open();
    for (unsigned block = 0; block < BLOCKS; block++) {
        use_a_block(&first, &last);
        cr_assert_neq(first, 0);
        cr_assert(first != slow && last != slow);
        if (block == 3)
            slow = first;
        else
            transfer_ids_release(&context.ids, first);
        transfer_ids_release(&context.ids, last);
        cr_assert_leq(blocks_used(), 3u, "the present one, the last one, and that of the slow one");
    }
    transfer_ids_release(&context.ids, slow);
    for (int i = 0; i < 2; i++) {
        use_a_block(&first, &last);
        transfer_ids_release(&context.ids, first);
        transfer_ids_release(&context.ids, last);
    }
    cr_expect_leq(blocks_used(), 2u);
    context_close();
}
