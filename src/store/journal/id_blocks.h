/* Blocks of transfer ids in use. Owner: the journal's owner. */
#ifndef STORE_JOURNAL_ID_BLOCKS_H
#define STORE_JOURNAL_ID_BLOCKS_H

#include "base/err.h"
#include "store/journal/transfer_ids.h"

#include <stddef.h>
#include <stdint.h>

/* Blocks assigned to workers and not yet returned: a transfer can still use one of their ids.
 * Zero-initialised: empty. */
struct journal_id_blocks {
    struct transfer_ids *out;
    size_t count, room;
};

void journal_id_blocks_fini(struct journal_id_blocks *blocks);
enum err journal_id_blocks_add(struct journal_id_blocks *blocks, const struct transfer_ids *block);
/* Removes the block that begins where `block` does; no-op if there is none. */
void journal_id_blocks_remove(struct journal_id_blocks *blocks, const struct transfer_ids *block);
/* End of the block that contains `id`; 0: in no block. */
uint32_t journal_id_blocks_end(const struct journal_id_blocks *blocks, uint32_t id);
/* Start of the first block after `id`; UINT32_MAX: none. */
uint32_t journal_id_blocks_next(const struct journal_id_blocks *blocks, uint32_t id);

#endif
