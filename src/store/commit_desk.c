#include "store/commit_desk.h"

#include "store_priv.h"

#include "base/contract.h"

#include <stdlib.h>

/* How large a part may grow: what the committer then copies takes it some milliseconds, and the
 * worker none. */
enum { PART_BYTES = 1 << 20 };

/* So many files for the redo log are handed over before the turn ends: while they are on their way
 * to the disk, the next ones are made. Without the log that would be more syncs of the file system,
 * each of which holds up the making of files. */
enum { HANDED_OVER = 8 };

struct commit_desk {
    struct inbox *inbox;
    struct committer *committer;
    unsigned worker, parts;    /* parts: made in this run */
    struct journal_part *part; /* NULL: none yet */
    struct batch batch;
    struct message_list passed_on; /* to the committer, at the end of the turn */
    unsigned passed_on_files;
};

enum err commit_desk_open(struct commit_desk **out, struct inbox *inbox,
                          struct committer *committer, unsigned worker)
{
    struct commit_desk *desk = calloc(1, sizeof *desk);

    *out = desk;
    if (desk == NULL)
        return ERR_NO_MEMORY;
    desk->inbox = inbox;
    desk->committer = committer;
    desk->worker = worker;
    batch_init(&desk->batch, inbox, NULL);
    desk->batch.is_answered_here = true;
    STAILQ_INIT(&desk->passed_on);
    return ERR_OK;
}

void commit_desk_close(struct commit_desk **desk)
{
    if (*desk == NULL)
        return;
    CONTRACT(!commit_desk_is_waiting(*desk));
    part_free(&(*desk)->part);
    free(*desk);
    *desk = NULL;
}

/* A mark goes behind its record: a part given away is the committer's. */
static bool is_mine(const struct commit_desk *desk, const struct commit_request *r)
{
    if (desk->inbox->durability == DURABILITY_FULL)
        return false;
    if (r->kind == COMMIT_REPORTED)
        return desk->part != NULL && journal_owes(desk->part->journal, r->record.transfer_id);
    return r->kind == COMMIT_FILE;
}

/* The files of a turn go together: handed over one by one they would be commits of one, each of
 * which holds up the making of the next file. */
static void pass_on(struct commit_desk *desk)
{
    struct message *m;

    desk->passed_on_files = 0;
    while ((m = STAILQ_FIRST(&desk->passed_on)) != NULL) {
        STAILQ_REMOVE_HEAD(&desk->passed_on, link);
        committer_submit(desk->committer, (struct commit_request *)(void *)m);
    }
}

static void add_passed_on(struct commit_desk *desk, struct commit_request *r)
{
    STAILQ_INSERT_TAIL(&desk->passed_on, &r->request.message, link);
    desk->passed_on_files += r->kind == COMMIT_FILE;
    if (desk->passed_on_files >= HANDED_OVER &&
        atomic_load_explicit(&desk->inbox->is_logging, memory_order_relaxed))
        pass_on(desk);
}

void commit_desk_submit(struct commit_desk *desk, struct commit_request *r)
{
    struct batch *b = &desk->batch;

    r->request.result = ERR_OK;
    if (!is_mine(desk, r))
        add_passed_on(desk, r);
    else if (r->kind == COMMIT_FILE)
        STAILQ_INSERT_TAIL(&b->files, &r->request.message, link);
    else
        STAILQ_INSERT_TAIL(&b->marks, &r->request.message, link);
}

/* Marks that wait belong to the part that goes. */
static void hand_over(struct commit_desk *desk)
{
    committer_absorb(desk->committer, desk->part);
    desk->part = NULL;
    desk->batch.journal = NULL;
    STAILQ_CONCAT(&desk->passed_on, &desk->batch.marks);
}

/* Without a next part the present one goes on, if it can. */
static enum err prepare_part(struct commit_desk *desk)
{
    struct journal_part *next = NULL;
    bool is_broken = desk->part != NULL && journal_is_broken(desk->part->journal);
    enum err e;

    if (desk->part != NULL && !is_broken && journal_size(desk->part->journal) < PART_BYTES)
        return ERR_OK;
    e = part_new(&next, desk->inbox, desk->worker, desk->parts);
    if (e != ERR_OK)
        return desk->part == NULL || is_broken ? e : ERR_OK;
    desk->parts++;
    if (desk->part != NULL)
        hand_over(desk);
    desk->part = next;
    desk->batch.journal = next->journal;
    return ERR_OK;
}

bool commit_desk_is_waiting(const struct commit_desk *desk)
{
    return batch_is_waiting(&desk->batch) || !STAILQ_EMPTY(&desk->passed_on);
}

bool commit_desk_run(struct commit_desk *desk)
{
    struct batch *b = &desk->batch;
    bool has_files = !STAILQ_EMPTY(&b->files);

    if (batch_is_waiting(b)) {
        do {
            batch_run(b, STAILQ_EMPTY(&b->files) ? ERR_OK : prepare_part(desk));
        } while (!STAILQ_EMPTY(&b->files));
    }
    pass_on(desk);
    return has_files;
}

void commit_desk_stop(struct commit_desk *desk)
{
    CONTRACT(!commit_desk_is_waiting(desk));
    if (desk->part != NULL)
        hand_over(desk);
}
