#include "store/journal/id_blocks.h"

#include <stdlib.h>

enum err journal_id_blocks_add(struct journal_id_blocks *blocks, const struct transfer_ids *block)
{
    if (blocks->count == blocks->room) {
        size_t room = blocks->room == 0 ? 16 : blocks->room * 2;
        struct transfer_ids *grown = realloc(blocks->out, room * sizeof *grown);

        if (grown == NULL)
            return ERR_NO_MEMORY;
        blocks->out = grown;
        blocks->room = room;
    }
    blocks->out[blocks->count++] = *block;
    return ERR_OK;
}

void journal_id_blocks_remove(struct journal_id_blocks *blocks, const struct transfer_ids *block)
{
    for (size_t i = 0; i < blocks->count; i++)
        if (blocks->out[i].next == block->next) {
            blocks->out[i] = blocks->out[--blocks->count];
            return;
        }
}

uint32_t journal_id_blocks_end(const struct journal_id_blocks *blocks, uint32_t id)
{
    for (size_t i = 0; i < blocks->count; i++)
        if (id >= blocks->out[i].next && id < blocks->out[i].end)
            return blocks->out[i].end;
    return 0;
}

uint32_t journal_id_blocks_next(const struct journal_id_blocks *blocks, uint32_t id)
{
    uint32_t next = UINT32_MAX;

    for (size_t i = 0; i < blocks->count; i++)
        if (blocks->out[i].next > id && blocks->out[i].next < next)
            next = blocks->out[i].next;
    return next;
}

void journal_id_blocks_fini(struct journal_id_blocks *blocks)
{
    free(blocks->out);
    *blocks = (struct journal_id_blocks){0};
}
