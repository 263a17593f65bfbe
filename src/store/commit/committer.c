#include "store/commit/committer.h"

#include "base/clock.h"
#include "base/log.h"
#include "loop/loop.h"
#include "store/commit/batch.h"
#include "store/inbox/partial_file.h"
#include "store/inbox/place.h"
#include "store/inbox/recover.h"
#include "store/inbox/space.h"
#include "store/inbox/state.h"
#include "store/journal/journal.h"
#include "store/sync.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Two threads. `committer` owns the journal and makes the batches: what came in while the last
 * batch was on its way to the disk is the next one, so the batches grow with the load and a file
 * that comes alone waits for nobody. `bulk` does what takes long for one file alone, the sync of a
 * large file's data and the unlink of a large file, so that the small ones do not wait for it: a
 * large file comes to the batch with its data on the disk and its descriptor closed.
 *
 * Without durability a commit is a few short calls, and a file that comes alone would spend most of
 * its time on the way to the thread and back. So one or two at a time are committed by whoever
 * brings them, if nobody commits just then: the same steps, with the lock that says whose the
 * journal is. Only the committer waits for the lock, and no longer than such a commit takes.
 *
 * Only the directory that a name comes into is synced, not the one it leaves: a name that stands in
 * both after a power cut is a partial file to the next start, which removes it there. */

enum {
    BULK_BYTES = 4 << 20,  /* a file of this size or more is bulk */
    EARLY_BYTES = 8 << 20, /* handed to the disk at a time, while more come in */
    EARLY_WAITING_MAX = 256,
    ALONE_MAX = 2,       /* committed by whoever brings them; more are better off as a batch */
    LOOK_MS = 500,       /* at the inbox's place, */
    LOOK_SOON_MS = 200,  /* when something is wrong with it, */
    KEEP_MS = 1000,      /* and at the journal's */
    MEND_PAUSE_MS = 500, /* a broken journal that could not be written anew is left alone */
    RECOUNT_MS = 2000,   /* and never more than a twentieth of the time */
    RECOUNT_SHARE = 20,
};

struct committer {
    struct inbox *inbox;
    struct loop *loop, *bulk;
    struct timer recount; /* of the inbox, in the bulk thread */
    struct inbox_space_recount counted;
    struct timer look; /* at its place, there too */
    struct timer keep; /* the journal in its place, in the committer's own thread */
    struct commit_batch batch;
    pthread_mutex_t lock;      /* who has it has the journal, */
    struct commit_batch alone; /* and this */
    enum err mend_error;       /* of the last try to mend the journal, */
    uint64_t mended_ms;        /* and when that was */
    struct message_list discards;
};

static struct commit_request *of_message(struct message *m)
{
    return (struct commit_request *)(void *)m; /* request.message comes first in it */
}

static bool is_full(const struct committer *c)
{
    return c->inbox->durability == DURABILITY_FULL;
}

static enum err discard(struct committer *c, struct inbox_partial_file *file)
{
    enum err e = ERR_OK;

    inbox_partial_file_close(file);
    if (unlinkat(inbox_partial_file_folder(c->inbox, file->name), file->name, 0) != 0 &&
        errno != ENOENT)
        e = err_from_errno(errno);
    inbox_partial_file_release(c->inbox, file, false);
    return e;
}

/* Written anew it is all of it, so on a disk that refuses that not for each batch. */
static enum err mend_journal(struct committer *c)
{
    uint64_t now_ms = loop_now_ms(c->loop);

    if (c->mend_error != ERR_OK && now_ms - c->mended_ms < MEND_PAUSE_MS)
        return c->mend_error;
    c->mended_ms = now_ms;
    return c->mend_error = journal_mend(c->inbox->journal);
}

static void run_batches(struct committer *c)
{
    while (commit_batch_is_waiting(&c->batch)) {
        pthread_mutex_lock(&c->lock);
        commit_batch_run(&c->batch, mend_journal(c));
        pthread_mutex_unlock(&c->lock);
        commit_batch_send_answers(&c->batch);
    }
}

static void run_all(void *owner)
{
    struct committer *c = owner;
    struct message *m;

    run_batches(c);
    while ((m = STAILQ_FIRST(&c->discards)) != NULL) {
        struct commit_request *r = of_message(m);

        STAILQ_REMOVE_HEAD(&c->discards, link);
        request_answer(&r->request, discard(c, &r->file));
    }
}

/* Somebody took the journal away or put another there: what was written to it since is written
 * anew. Not while its folder is another. */
static void put_journal_back(struct committer *c)
{
    struct journal *journal = c->inbox->journal;

    if (journal_is_in_place(journal) || inbox_place_look(c->inbox) != ERR_OK)
        return;
    log_warning("inbox %s: its journal was taken away or replaced; it is written anew",
                c->inbox->path);
    journal_renew(journal);
}

static void keep_journal(struct timer *timer, void *ctx)
{
    struct committer *c = ctx;

    (void)timer;
    loop_set_timer(c->loop, &c->keep, KEEP_MS);
    pthread_mutex_lock(&c->lock);
    put_journal_back(c);
    inbox_recover_remove_remains(c->inbox);
    pthread_mutex_unlock(&c->lock);
}

static void started(void *owner)
{
    struct committer *c = owner;

    loop_set_timer(c->loop, &c->keep, KEEP_MS);
}

static void end(void *owner)
{
    struct committer *c = owner;

    run_all(c);                      /* nobody else brings anything any more */
    journal_mend(c->inbox->journal); /* if it is broken: the next start would build on it */
    inbox_recover_remove_remains(c->inbox);
}

/* --- the threads -------------------------------------------------------------------------------
 */

static void collect(struct message *m, void *owner)
{
    struct committer *c = owner;

    if (of_message(m)->kind == COMMIT_DISCARD)
        STAILQ_INSERT_TAIL(&c->discards, m, link);
    else
        commit_batch_add(&c->batch, of_message(m));
}

/* In the bulk thread. */
static void handle_bulk(struct message *m, void *owner)
{
    struct committer *c = owner;
    struct commit_request *r = of_message(m);

    if (r->kind == COMMIT_DISCARD) {
        request_answer(&r->request, discard(c, &r->file));
        return;
    }
    r->request.result = store_sync_data(r->file.fd);
    inbox_partial_file_close(&r->file);
    mailbox_answer(loop_mailbox(c->loop), m, collect);
}

/* Files are taken out of the inbox by others: only a look at the directory tells. */
static void recount(struct timer *timer, void *ctx)
{
    struct committer *c = ctx;
    uint64_t before_ms = clock_mono_ms(), next_ms;

    (void)timer;
    inbox_space_recount(&c->inbox->space, &c->counted, c->inbox->dir_fd, before_ms);
    next_ms = (clock_mono_ms() - before_ms) * RECOUNT_SHARE;
    loop_set_timer(c->bulk, &c->recount, next_ms > RECOUNT_MS ? next_ms : RECOUNT_MS);
}

static void look(struct timer *timer, void *ctx)
{
    struct committer *c = ctx;

    (void)timer;
    loop_set_timer(c->bulk, &c->look,
                   inbox_place_check(c->inbox) == ERR_OK ? LOOK_MS : LOOK_SOON_MS);
}

static void bulk_started(void *owner)
{
    struct committer *c = owner;

    loop_set_timer(c->bulk, &c->look, LOOK_MS);
    loop_set_timer(c->bulk, &c->recount, RECOUNT_MS);
}

enum err committer_open(struct committer **out, struct inbox *inbox)
{
    struct committer *c = calloc(1, sizeof *c);
    struct loop_config config = {.name = "committer", .owner = c, .works_on_files = true};
    enum err e = ERR_NO_MEMORY;

    *out = NULL;
    if (c == NULL)
        return e;
    c->inbox = inbox;
    c->recount = (struct timer){.fire = recount, .ctx = c};
    c->look = (struct timer){.fire = look, .ctx = c};
    c->keep = (struct timer){.fire = keep_journal, .ctx = c};
    commit_batch_init(&c->batch, inbox, inbox->journal);
    commit_batch_init(&c->alone, inbox, inbox->journal);
    pthread_mutex_init(&c->lock, NULL);
    if (store_sync_at_once_is_known(inbox->dir_fd))
        c->batch.meminfo_fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    STAILQ_INIT(&c->discards);
    config.started = started;
    config.after_turn = run_all;
    config.ended = end;
    if ((e = loop_open(&c->loop, &config)) != ERR_OK)
        goto fail;
    config = (struct loop_config){.name = "committer-bulk",
                                  .mailbox_limit = EARLY_WAITING_MAX,
                                  .owner = c,
                                  .works_on_files = true,
                                  .started = bulk_started};
    if ((e = loop_open(&c->bulk, &config)) != ERR_OK)
        goto fail;
    *out = c;
    return ERR_OK;
fail:
    committer_close(&c);
    return e;
}

void committer_close(struct committer **committer)
{
    if (*committer == NULL)
        return;
    loop_close(&(*committer)->bulk);
    loop_close(&(*committer)->loop);
    if ((*committer)->batch.meminfo_fd >= 0)
        close((*committer)->batch.meminfo_fd);
    pthread_mutex_destroy(&(*committer)->lock);
    free(*committer);
    *committer = NULL;
}

enum err committer_start(struct committer *c)
{
    enum err e = loop_start(c->loop);

    if (e == ERR_OK && (e = loop_start(c->bulk)) != ERR_OK)
        loop_stop(c->loop);
    return e;
}

void committer_stop(struct committer *c)
{
    mailbox_shut(loop_mailbox(c->bulk)); /* new work waits there for nobody */
    loop_stop(c->bulk);                  /* hands its last files to the other */
    loop_stop(c->loop);
}

/* Work for the bulk thread: what the file itself makes slow. Without durability there is no sync.
 */
static bool is_bulk(const struct committer *c, const struct commit_request *r)
{
    if (r->kind != COMMIT_DISCARD && !(r->kind == COMMIT_FILE && is_full(c)))
        return false;
    return r->file.written_bytes >= BULK_BYTES;
}

/* One that came to nothing gives its descriptor back at once, however long the disk takes to forget
 * its name. (That of a large file may be on its way to the bulk thread: committer_write_early.) */
void committer_submit(struct committer *c, struct commit_request *r)
{
    r->request.result = ERR_OK;
    if (r->kind == COMMIT_DISCARD && !is_bulk(c, r))
        inbox_partial_file_close(&r->file);
    if (is_bulk(c, r))
        mailbox_answer(loop_mailbox(c->bulk), &r->request.message, handle_bulk);
    else
        mailbox_answer(loop_mailbox(c->loop), &r->request.message, collect);
}

void committer_turn_init(struct committer_turn *turn, void *owner)
{
    *turn = (struct committer_turn){.owner = owner};
    STAILQ_INIT(&turn->requests);
}

void committer_turn_add(struct committer_turn *turn, struct committer *c, struct commit_request *r)
{
    if (r->kind == COMMIT_DISCARD || is_bulk(c, r)) {
        committer_submit(c, r);
        return;
    }
    r->request.result = ERR_OK;
    r->request.message.deliver = collect;
    STAILQ_INSERT_TAIL(&turn->requests, &r->request.message, link);
    turn->count++;
}

/* The answers take the requests' place: their owner is the one who runs this. */
static void commit_alone(struct committer *c, struct committer_turn *turn)
{
    struct message *m;

    while ((m = STAILQ_FIRST(&turn->requests)) != NULL) {
        STAILQ_REMOVE_HEAD(&turn->requests, link);
        commit_batch_add(&c->alone, of_message(m));
    }
    commit_batch_run(&c->alone, ERR_OK);
    STAILQ_CONCAT(&turn->requests, &c->alone.answers);
}

/* In the worker's thread. False: the committer has to do it. What takes long, a journal that is to
 * be written anew, is always its matter. */
static bool try_alone(struct committer *c, struct committer_turn *turn)
{
    bool is_mine;

    if (is_full(c) || turn->count > ALONE_MAX || pthread_mutex_trylock(&c->lock) != 0)
        return false;
    is_mine = !journal_wants_mending(c->inbox->journal);
    if (is_mine)
        commit_alone(c, turn);
    pthread_mutex_unlock(&c->lock);
    return is_mine;
}

/* Each may add to the next turn. */
static void deliver_answers(struct committer_turn *turn)
{
    struct message_list answers = STAILQ_HEAD_INITIALIZER(answers);
    struct message *m;

    STAILQ_CONCAT(&answers, &turn->requests);
    turn->count = 0;
    while ((m = STAILQ_FIRST(&answers)) != NULL) {
        STAILQ_REMOVE_HEAD(&answers, link);
        m->deliver(m, turn->owner);
    }
}

bool committer_turn_end(struct committer_turn *turn, struct committer *c)
{
    if (turn->count == 0)
        return false;
    if (try_alone(c, turn)) {
        deliver_answers(turn);
        return true;
    }
    mailbox_answer_list(loop_mailbox(c->loop), &turn->requests, turn->count);
    turn->count = 0;
    return false;
}

/* Bytes that start on their way. The descriptor is open until then: what closes a file of this size
 * comes behind in the same mailbox. */
struct early {
    struct message message;
    int fd;
    uint64_t from, length;
};

static void start_writing(struct message *m, void *owner)
{
    struct early *early = (struct early *)(void *)m;

    (void)owner;
    if (sync_file_range(early->fd, (off_t)early->from, (off_t)early->length,
                        SYNC_FILE_RANGE_WRITE) != 0)
        log_debug("sync_file_range: %s", strerror(errno)); /* the sync at the end says it */
    free(early);
}

void committer_write_early(struct committer *c, struct inbox_partial_file *file)
{
    uint64_t length = file->written_bytes - file->early_bytes;
    struct early *early;

    if (length < EARLY_BYTES || !is_full(c))
        return;
    early = malloc(sizeof *early);
    if (early == NULL)
        return;
    *early = (struct early){.fd = file->fd, .from = file->early_bytes, .length = length};
    file->early_bytes = file->written_bytes;
    if (mailbox_post(loop_mailbox(c->bulk), &early->message, start_writing) != ERR_OK)
        free(early);
}

size_t committer_waiting(struct committer *c)
{
    return mailbox_waiting(loop_mailbox(c->loop)) + mailbox_waiting(loop_mailbox(c->bulk));
}
