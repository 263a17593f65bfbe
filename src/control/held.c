#include "control/held.h"

#include <stdlib.h>
#include <uthash.h>

/* One row for each user who holds something now: few, since each has to be let in by the socket. */
struct holder {
    UT_hash_handle hh;
    uid_t uid;
    size_t bytes;
};

struct control_held {
    struct holder *holders;
    size_t bytes;
};

enum err control_held_open(struct control_held **out)
{
    *out = calloc(1, sizeof **out);
    return *out == NULL ? ERR_NO_MEMORY : ERR_OK;
}

static struct holder *find(const struct control_held *held, uid_t uid)
{
    struct holder *holder;

    HASH_FIND(hh, held->holders, &uid, sizeof uid, holder);
    return holder;
}

static void drop(struct control_held *held, struct holder *holder)
{
    /* What is in the table cannot make uthash's head NULL. */
    HASH_DEL(held->holders, holder); /* NOLINT(clang-analyzer-core.*, clang-analyzer-unix.Malloc) */
    free(holder);
}

void control_held_close(struct control_held **held)
{
    struct holder *holder, *next;

    if (*held == NULL)
        return;
    HASH_ITER (hh, (*held)->holders, holder, next)
        drop(*held, holder);
    free(*held);
    *held = NULL;
}

static struct holder *find_or_add(struct control_held *held, uid_t uid)
{
    struct holder *holder = find(held, uid);

    if (holder != NULL || (holder = calloc(1, sizeof *holder)) == NULL)
        return holder;
    holder->uid = uid;
    HASH_ADD(hh, held->holders, uid, sizeof holder->uid, holder);
    if (holder->hh.tbl == NULL) {
        free(holder);
        return NULL;
    }
    return holder;
}

enum err control_held_take(struct control_held *held, uid_t uid, size_t bytes)
{
    struct holder *holder = find_or_add(held, uid);

    if (holder == NULL)
        return ERR_NO_MEMORY;
    if (bytes > CONTROL_HELD_MAX - held->bytes ||
        bytes > CONTROL_HELD_MAX_PER_USER - holder->bytes) {
        if (holder->bytes == 0)
            drop(held, holder);
        return ERR_FULL;
    }
    held->bytes += bytes;
    holder->bytes += bytes;
    return ERR_OK;
}

void control_held_give_back(struct control_held *held, uid_t uid, size_t bytes)
{
    struct holder *holder = find(held, uid);

    if (holder == NULL || bytes == 0)
        return;
    held->bytes -= bytes;
    holder->bytes -= bytes;
    if (holder->bytes == 0)
        drop(held, holder);
}

size_t control_held_bytes(const struct control_held *held)
{
    return held->bytes;
}
