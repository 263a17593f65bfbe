/* Blocks of transfer ids that are out. Owner: the journal's. */
#ifndef STORE_JOURNAL_ID_BLOCKS_H
#define STORE_JOURNAL_ID_BLOCKS_H

#include "base/err.h"
#include "store/journal/transfer_ids.h"

#include <stddef.h>
#include <stdint.h>

/* Given to a worker and not given back: a transfer may still have one of their ids. All zero is
 * none. */
struct journal_id_blocks {
    struct transfer_ids *out;
    size_t count, room;
};

void journal_id_blocks_fini(struct journal_id_blocks *blocks);
enum err journal_id_blocks_add(struct journal_id_blocks *blocks, const struct transfer_ids *block);
/* The block that begins as `block` does; at ease with one that is not out. */
void journal_id_blocks_remove(struct journal_id_blocks *blocks, const struct transfer_ids *block);
/* Where the block with `id` in it ends; 0: it is in none. */
uint32_t journal_id_blocks_end(const struct journal_id_blocks *blocks, uint32_t id);
/* Where the next block behind `id` begins; UINT32_MAX: there is none. */
uint32_t journal_id_blocks_next(const struct journal_id_blocks *blocks, uint32_t id);

#endif
