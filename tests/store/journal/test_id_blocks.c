/* Reuse of transfer ids: no id is assigned that is in use or unreported. */
#include "store/journal/id_blocks.h"

#include "store/bad_disk.h"
#include "store/inbox/state.h"
#include "store/journal/journal.h"
#include "store/journal/ledger.h"
#include "store/journal/record.h"
#include "store/store_support.h"

#include <criterion/criterion.h>

enum { B = TRANSFER_IDS_BLOCK, LAST = TRANSFER_ID_MAX };

static const struct case_of {
    const char *what;
    uint32_t next;
    struct transfer_ids out[3];
    uint32_t unreported[3];
    struct transfer_ids expected;
} cases[] = {
    {"nothing", 1, {{0}}, {0}, {1, B + 1}},
    {"behind the first block", B + 1, {{1, B + 1}}, {0}, {B + 1, 2 * B + 1}},
    {"wrapped around", 1, {{1, B + 1}}, {0}, {B + 1, 2 * B + 1}},
    {"wrapped around, two in use",
     1,
     {{B + 1, 2 * B + 1}, {1, B + 1}},
     {0},
     {2 * B + 1, 3 * B + 1}},
    {"in the middle of a block in use", 500, {{1, B + 1}}, {0}, {B + 1, 2 * B + 1}},
    {"cut short by a block in use", 1, {{1000, 2000}}, {0}, {1, 1000}},
    {"between two blocks in use", 2000, {{1000, 2000}, {3000, 4000}}, {0}, {2000, 3000}},
    {"in use up to the last", LAST - 10, {{LAST - 10, LAST + 1}}, {0}, {1, B + 1}},
    {"in use up to the last and from the first",
     LAST,
     {{LAST, LAST + 1}, {1, 50}},
     {0},
     {50, B + 50}},
    {"the last one alone", LAST, {{1, 50}}, {0}, {LAST, LAST + 1}},
    {"unreported after a block in use", 1, {{1, 50}}, {50, 51}, {52, B + 52}},
    {"in use after an unreported one", 49, {{50, 90}}, {49, 90}, {91, B + 91}},
    {"cut short by an unreported one before a block in use", 1, {{300, 400}}, {200}, {1, 200}},
};

Test(journal_id_blocks, no_id_is_assigned_that_is_in_use_or_unreported, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct case_of *c = &cases[i];
        struct transfer_ids ids;

        open_inbox(DURABILITY_NONE, LIMIT_BYTES);
        for (unsigned j = 0; j < 3; j++) {
            struct journal_record unreported = {.kind = JOURNAL_RECORD_FILE,
                                                .file.transfer_id = c->unreported[j]};

            if (c->out[j].end > 0)
                cr_assert_eq(journal_id_blocks_add(journal_ids_out(inbox->journal), &c->out[j]),
                             ERR_OK);
            if (c->unreported[j] > 0)
                cr_assert_eq(
                    journal_ledger_apply(journal_ledger(inbox->journal), &unreported, 0, 1),
                    ERR_OK);
        }
        journal_ledger(inbox->journal)->next_id = c->next;
        cr_assert_eq(journal_reserve_ids(inbox->journal, &ids), ERR_OK);
        cr_expect_eq(ids.next, c->expected.next, "%s: %u", c->what, ids.next);
        cr_expect_eq(ids.end, c->expected.end, "%s: %u", c->what, ids.end);
        for (unsigned j = 0; j < 3; j++)
            journal_ledger_forget(journal_ledger(inbox->journal), c->unreported[j]);
        inbox_close(&inbox);
    }
}

static void back(const struct transfer_ids *block)
{
    journal_id_blocks_remove(journal_ids_out(inbox->journal), block);
}

Test(journal_id_blocks, a_block_in_use_is_skipped_when_ids_wrap_and_reused_after_its_return,
     .init = make_scratch, .fini = remove_scratch, .timeout = 60)
{
    struct transfer_ids held, ids, first;
    unsigned rounds = 0;

    open_inbox(DURABILITY_NONE, LIMIT_BYTES);
    cr_assert_eq(journal_reserve_ids(inbox->journal, &first), ERR_OK);
    cr_assert_eq(journal_reserve_ids(inbox->journal, &held), ERR_OK);
    back(&first);
    for (unsigned i = 0; rounds < 2; i++) {
        cr_assert_eq(journal_reserve_ids(inbox->journal, &ids), ERR_OK);
        cr_assert(ids.end <= held.next || ids.next >= held.end);
        rounds += ids.next == 1;
        back(&ids);
    }
    back(&held);
    cr_assert_eq(journal_reserve_ids(inbox->journal, &ids), ERR_OK);
    cr_assert_eq(ids.next, held.next);
    inbox_close(&inbox);
}

static const struct all_out {
    const char *what;
    uint32_t next;
    struct transfer_ids out[3];
} all_out[] = {
    {"one block, from its start", 1, {{1, LAST + 1}}},
    {"one block, from its middle", 777, {{1, LAST + 1}}},
    {"one block, from its last", LAST, {{1, LAST + 1}}},
    {"two blocks", 1, {{1, B}, {B, LAST + 1}}},
    {"two blocks, from the second", B, {{1, B}, {B, LAST + 1}}},
    {"three blocks, from the middle of the third", LAST - 9, {{9, B}, {1, 9}, {B, LAST + 1}}},
};

/* Requests do not wait for a block to be returned: files are refused meanwhile. */
Test(journal_id_blocks, when_all_ids_are_in_use_none_is_assigned, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    for (size_t i = 0; i < sizeof all_out / sizeof *all_out; i++) {
        struct transfer_ids ids;

        open_inbox(DURABILITY_NONE, LIMIT_BYTES);
        for (unsigned j = 0; j < 3 && all_out[i].out[j].end > 0; j++)
            cr_assert_eq(journal_id_blocks_add(journal_ids_out(inbox->journal), &all_out[i].out[j]),
                         ERR_OK);
        journal_ledger(inbox->journal)->next_id = all_out[i].next;
        cr_assert_eq(journal_reserve_ids(inbox->journal, &ids), ERR_FULL, "%s", all_out[i].what);
        cr_assert_eq(ids.end, 0, "%s", all_out[i].what);
        back(&all_out[i].out[0]);
        cr_assert_eq(journal_reserve_ids(inbox->journal, &ids), ERR_OK, "%s", all_out[i].what);
        inbox_close(&inbox);
    }
}

/* Also while the journal cannot be written. */
Test(journal_id_blocks, a_block_returned_while_the_journal_is_broken_is_free, .init = make_scratch,
     .fini = remove_scratch, .timeout = 20)
{
    struct commit_request some[2] = {{.kind = COMMIT_IDS}, {.kind = COMMIT_IDS}};

    open_inbox(DURABILITY_FULL, LIMIT_BYTES);
    cr_assert_eq(inbox_first_ids(inbox, &some[1].ids_back), ERR_OK);
    disk_refuses(BAD_SYNC | BAD_RENAME, 0, -1);
    commit_all(&some[0], 1); /* breaks it */
    commit_all(&some[1], 1);
    disk_refuses(0, 0, 0);
    cr_assert_neq(some[1].request.result, ERR_OK);
    cr_assert_eq(journal_id_blocks_end(journal_ids_out(inbox->journal), some[1].ids_back.next), 0);
}
