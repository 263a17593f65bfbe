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

/* Two threads. `committer` owns the journal and runs the batches: the requests queued while one
 * batch is being synced form the next, so batches grow with the load and a single file does not
 * wait for others. `bulk` does operations that are slow because of one file's size, the data sync
 * of a large file and the unlink of a large file, so that small files do not wait for them: a large
 * file enters a batch with its data synced and its descriptor closed.
 *
 * Without durability a commit is a few short system calls, and a single file would spend most of
 * its time on two thread switches. So one or two files at a time are committed in the submitting
 * thread if no other commit is running: the same steps, under the lock that guards the journal.
 * Only the committer blocks on the lock, for at most the duration of such a commit.
 *
 * Only the directory that a name is moved into is synced, not the one it leaves: a name found in
 * both after a power cut is treated as a partial file by the next start and removed there. */

enum {
    BULK_BYTES = 4 << 20,           /* files of this size or more are bulk */
    WRITEBACK_STEP_BYTES = 8 << 20, /* writeback is started in steps of this size */
    WRITEBACKS_MAX = 256,
    INLINE_MAX = 2,          /* committed in the submitting thread; more are faster as a batch */
    PLACE_CHECK_MS = 500,    /* interval of inbox_place_check, */
    PLACE_RECHECK_MS = 200,  /* while there is a fault */
    JOURNAL_CHECK_MS = 1000, /* interval of checking the journal's name */
    REWRITE_PAUSE_MS = 500,  /* pause after a failed rewrite of a broken journal */
    RECOUNT_MS = 2000,       /* recounting takes at most a twentieth of the time */
    RECOUNT_SHARE = 20,
};

struct committer {
    struct inbox *inbox;
    struct loop *loop, *bulk;
    struct timer recount; /* of the inbox; in the bulk thread */
    struct inbox_space_recount counted;
    struct timer check_place;   /* of the inbox; in the bulk thread too */
    struct timer check_journal; /* of the journal; in the committer thread */
    struct commit_batch batch;
    pthread_mutex_t lock;             /* its holder owns the journal, */
    struct commit_batch inline_batch; /* and inline_batch */
    enum err rewrite_error;           /* of the last attempt to rewrite the journal, */
    uint64_t rewrite_ms;              /* and its time */
    struct message_list discards;
};

static struct commit_request *of_message(struct message *m)
{
    return (struct commit_request *)(void *)m; /* request.message is its first member */
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

/* A rewrite writes the whole journal, so it is not attempted for each batch while the disk fails.
 */
static enum err rewrite_journal(struct committer *c)
{
    uint64_t now_ms = loop_now_ms(c->loop);

    if (c->rewrite_error != ERR_OK && now_ms - c->rewrite_ms < REWRITE_PAUSE_MS)
        return c->rewrite_error;
    c->rewrite_ms = now_ms;
    return c->rewrite_error = journal_rewrite_if_needed(c->inbox->journal);
}

static void run_batches(struct committer *c)
{
    while (commit_batch_has_pending(&c->batch)) {
        pthread_mutex_lock(&c->lock);
        commit_batch_run(&c->batch, rewrite_journal(c));
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

/* The journal was removed or replaced: rewrites it from the open file. Not while its directory is
 * not the one that was opened. */
static void restore_journal(struct committer *c)
{
    struct journal *journal = c->inbox->journal;

    if (journal_is_in_place(journal) || inbox_place_check_folders(c->inbox) != ERR_OK)
        return;
    log_warning("inbox %s: its journal was removed or replaced; rewriting it", c->inbox->path);
    journal_rewrite(journal);
}

static void maintain_journal(struct timer *timer, void *ctx)
{
    struct committer *c = ctx;

    (void)timer;
    loop_set_timer(c->loop, &c->check_journal, JOURNAL_CHECK_MS);
    pthread_mutex_lock(&c->lock);
    restore_journal(c);
    inbox_recover_retry_removals(c->inbox);
    pthread_mutex_unlock(&c->lock);
}

static void started(void *owner)
{
    struct committer *c = owner;

    loop_set_timer(c->loop, &c->check_journal, JOURNAL_CHECK_MS);
}

static void ended(void *owner)
{
    struct committer *c = owner;

    run_all(c); /* no more submitters */
    /* The next start must not use a broken journal. */
    journal_rewrite_if_needed(c->inbox->journal);
    inbox_recover_retry_removals(c->inbox);
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

/* Bulk thread. */
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

/* Other programs remove files from the inbox: only reading the directory shows it. */
static void recount(struct timer *timer, void *ctx)
{
    struct committer *c = ctx;
    uint64_t before_ms = clock_mono_ms(), next_ms;

    (void)timer;
    inbox_space_recount(&c->inbox->space, &c->counted, c->inbox->dir_fd, before_ms);
    next_ms = (clock_mono_ms() - before_ms) * RECOUNT_SHARE;
    loop_set_timer(c->bulk, &c->recount, next_ms > RECOUNT_MS ? next_ms : RECOUNT_MS);
}

static void check_place(struct timer *timer, void *ctx)
{
    struct committer *c = ctx;

    (void)timer;
    loop_set_timer(c->bulk, &c->check_place,
                   inbox_place_check(c->inbox) == ERR_OK ? PLACE_CHECK_MS : PLACE_RECHECK_MS);
}

static void bulk_started(void *owner)
{
    struct committer *c = owner;

    loop_set_timer(c->bulk, &c->check_place, PLACE_CHECK_MS);
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
    c->check_place = (struct timer){.fire = check_place, .ctx = c};
    c->check_journal = (struct timer){.fire = maintain_journal, .ctx = c};
    commit_batch_init(&c->batch, inbox, inbox->journal);
    commit_batch_init(&c->inline_batch, inbox, inbox->journal);
    pthread_mutex_init(&c->lock, NULL);
    if (store_sync_is_syncfs_reliable(inbox->dir_fd))
        c->batch.meminfo_fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    STAILQ_INIT(&c->discards);
    config.started = started;
    config.after_turn = run_all;
    config.ended = ended;
    if ((e = loop_open(&c->loop, &config)) != ERR_OK)
        goto fail;
    config = (struct loop_config){.name = "committer-bulk",
                                  .mailbox_limit = WRITEBACKS_MAX,
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
    mailbox_shut(loop_mailbox(c->bulk)); /* no new work is accepted */
    loop_stop(c->bulk);                  /* passes its last files to the other */
    loop_stop(c->loop);
}

/* Work for the bulk thread: operations that are slow because of the file's size. Without durability
 * there is no sync. */
static bool is_bulk(const struct committer *c, const struct commit_request *r)
{
    if (r->kind != COMMIT_DISCARD && !(r->kind == COMMIT_FILE && is_full(c)))
        return false;
    return r->file.written_bytes >= BULK_BYTES;
}

/* A discarded file's descriptor is closed at once, however long the unlink takes. (Except of a
 * large file: the bulk thread may still be using it, committer_start_writeback.) */
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

/* The answers replace the requests in the list: their owner runs this function. */
static void commit_inline(struct committer *c, struct committer_turn *turn)
{
    struct message *m;

    while ((m = STAILQ_FIRST(&turn->requests)) != NULL) {
        STAILQ_REMOVE_HEAD(&turn->requests, link);
        commit_batch_add(&c->inline_batch, of_message(m));
    }
    commit_batch_run(&c->inline_batch, ERR_OK);
    STAILQ_CONCAT(&turn->requests, &c->inline_batch.answers);
}

/* Worker's thread. False: the committer must do it. Slow operations, rewriting the journal, are
 * always left to the committer. */
static bool try_inline(struct committer *c, struct committer_turn *turn)
{
    bool is_mine;

    if (is_full(c) || turn->count > INLINE_MAX || pthread_mutex_trylock(&c->lock) != 0)
        return false;
    is_mine = !journal_needs_rewrite(c->inbox->journal);
    if (is_mine)
        commit_inline(c, turn);
    pthread_mutex_unlock(&c->lock);
    return is_mine;
}

/* Each handler can add requests for the next turn. */
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
    if (try_inline(c, turn)) {
        deliver_answers(turn);
        return true;
    }
    mailbox_answer_list(loop_mailbox(c->loop), &turn->requests, turn->count);
    turn->count = 0;
    return false;
}

/* Request to start writeback of a range. The descriptor stays open until it is handled: closing a
 * file of this size is queued behind it in the same mailbox. */
struct writeback_request {
    struct message message;
    int fd;
    uint64_t from, length;
};

static void handle_writeback(struct message *m, void *owner)
{
    struct writeback_request *request = (struct writeback_request *)(void *)m;

    (void)owner;
    if (sync_file_range(request->fd, (off_t)request->from, (off_t)request->length,
                        SYNC_FILE_RANGE_WRITE) != 0)
        log_debug("sync_file_range: %s", strerror(errno)); /* the final sync reports the error */
    free(request);
}

void committer_start_writeback(struct committer *c, struct inbox_partial_file *file)
{
    uint64_t length = file->written_bytes - file->writeback_bytes;
    struct writeback_request *request;

    if (length < WRITEBACK_STEP_BYTES || !is_full(c))
        return;
    request = malloc(sizeof *request);
    if (request == NULL)
        return;
    *request =
        (struct writeback_request){.fd = file->fd, .from = file->writeback_bytes, .length = length};
    file->writeback_bytes = file->written_bytes;
    if (mailbox_post(loop_mailbox(c->bulk), &request->message, handle_writeback) != ERR_OK)
        free(request);
}

size_t committer_waiting(struct committer *c)
{
    return mailbox_waiting(loop_mailbox(c->loop)) + mailbox_waiting(loop_mailbox(c->bulk));
}
