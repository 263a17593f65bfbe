/* received: the journal is read by a thread of its own, one query at a time, because that can take
 * long or block on a disk. The thread is not a loop, so it is not under the watchdog: a stuck disk
 * delays only these queries. */
#include "control/methods/received.h"

#include "base/log.h"
#include "base/text.h"
#include "control/methods/methods.h"
#include "control/reply.h"
#include "control/state.h"
#include "rpc/args.h"
#include "rpc/document.h"
#include "store/inbox/received.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    QUEUE_MAX = 16,  /* queries waiting for the current one */
    IDLE_MS = 60000, /* without a query for this long, memory is released */
    CURSOR_SIZE = 40,
};

struct method_received_reader {
    struct mailbox *box;
    struct inbox_received *received; /* owned by the thread */
    pthread_t thread;
    bool is_started;
    bool has_ended;          /* owned by the thread */
    atomic_bool is_stopping; /* aborts the current read; the `end` message follows */
    struct message end;
};

struct received_row {
    struct journal_file record;
    char *idurl; /* of the record; malloc */
    bool is_reported, is_there;
};

struct received_pending {
    struct request request; /* first: the answered message is cast back */
    struct control_pending pending;
    struct inbox_received_query query;
    struct received_row *rows; /* room for query.limit */
    size_t count;
    bool is_out_of_memory;
};

/* The thread. */

static void end(struct message *m, void *owner)
{
    (void)m;
    ((struct method_received_reader *)owner)->has_ended = true;
}

static void *run(void *arg)
{
    struct method_received_reader *reader = arg;
    struct pollfd queue = {.fd = mailbox_fd(reader->box), .events = POLLIN};

    log_name_thread("received");
    while (!reader->has_ended) {
        if (poll(&queue, 1, IDLE_MS) == 0)
            inbox_received_forget(reader->received);
        mailbox_drain(reader->box);
    }
    return NULL;
}

enum err method_received_reader_open(struct method_received_reader **out, struct inbox *inbox)
{
    struct method_received_reader *reader = calloc(1, sizeof *reader);
    enum err e;

    if (reader == NULL)
        return ERR_NO_MEMORY;
    e = mailbox_open(&reader->box, QUEUE_MAX, reader);
    if (e == ERR_OK)
        e = inbox_received_open(&reader->received, inbox, &reader->is_stopping);
    if (e != ERR_OK)
        method_received_reader_close(&reader);
    *out = reader;
    return e;
}

void method_received_reader_close(struct method_received_reader **reader)
{
    if (*reader == NULL)
        return;
    inbox_received_close(&(*reader)->received);
    mailbox_close(&(*reader)->box);
    free(*reader);
    *reader = NULL;
}

enum err method_received_reader_start(struct method_received_reader *reader)
{
    sigset_t all, before;
    int error_number;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error_number = pthread_create(&reader->thread, NULL, run, reader);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    reader->is_started = error_number == 0;
    return err_from_thread(error_number);
}

void method_received_reader_stop(struct method_received_reader *reader)
{
    if (!reader->is_started)
        return;
    atomic_store(&reader->is_stopping, true);
    mailbox_answer(reader->box, &reader->end, end);
    pthread_join(reader->thread, NULL);
    reader->is_started = false;
}

static void add_row(void *ctx, const struct journal_file *record, bool is_reported, bool is_there)
{
    struct received_pending *r = ctx;
    char *idurl = text_dup(record->idurl, strlen(record->idurl));

    if (idurl == NULL) {
        r->is_out_of_memory = true;
        return;
    }
    r->rows[r->count++] = (struct received_row){
        .record = *record, .idurl = idurl, .is_reported = is_reported, .is_there = is_there};
}

static void process_query(struct message *m, void *owner)
{
    struct method_received_reader *reader = owner;
    struct received_pending *r = (struct received_pending *)(void *)m;
    enum err e = inbox_received_each(reader->received, &r->query, add_row, r);

    request_answer(&r->request, e == ERR_OK && r->is_out_of_memory ? ERR_NO_MEMORY : e);
}

/* The control thread. */

static void free_pending(struct received_pending *r)
{
    for (size_t i = 0; i < r->count; i++) /* without rows the count is 0 */
        free(r->rows[i].idurl);           /* NOLINT(clang-analyzer-core.NullDereference) */
    free(r->rows);
    free(r);
}

static xmlrpc_value *row_value(xmlrpc_env *env, struct inbox *inbox, const struct received_row *row)
{
    const struct journal_file *record = &row->record;
    char path[INBOX_PATH_SIZE], peer[ADDRESS_TEXT_SIZE], cursor[CURSOR_SIZE];
    xmlrpc_value *value = rpc_struct(env);

    inbox_final_path(inbox, record->name, path);
    snprintf(cursor, sizeof cursor, "%" PRId64 ".%" PRIu32, record->committed_us,
             record->transfer_id);
    rpc_put_integer(env, value, "transfer_id", record->transfer_id);
    rpc_put_text(env, value, "idurl", row->idurl);
    rpc_put_text(env, value, "host", address_text(peer, &record->peer));
    rpc_put_integer(env, value, "size", (int64_t)record->size_bytes);
    rpc_put_integer(env, value, "started_us", record->started_us);
    rpc_put_integer(env, value, "committed_us", record->committed_us);
    rpc_put(env, value, "path", rpc_path(env, path));
    rpc_put_bool(env, value, "is_reported", row->is_reported);
    rpc_put_bool(env, value, "is_there", row->is_there);
    rpc_put_text(env, value, "cursor", cursor);
    return value;
}

static void answer_rows(struct received_pending *r)
{
    struct inbox *inbox = r->pending.control->config.inbox;
    xmlrpc_value *array;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    array = rpc_array(&env);
    for (size_t i = 0; i < r->count; i++)
        rpc_add(&env, array, row_value(&env, inbox, &r->rows[i]));
    control_reply_value(r->pending.call, &env, array);
}

static void received_answered(struct message *m, void *owner)
{
    struct received_pending *r = (struct received_pending *)(void *)m;
    enum err e = r->request.result;

    (void)owner;
    if (r->pending.call != NULL && e == ERR_OK)
        answer_rows(r);
    else if (r->pending.call != NULL)
        control_reply_fault(r->pending.call, e == ERR_CLOSED ? FAULT_STOPPING : FAULT_FAILED,
                            "cannot read the inbox's journal: %s",
                            e == ERR_CLOSED ? "the daemon is stopping" : err_text(e));
    control_pending_end(&r->pending);
    free_pending(r);
}

/* "newest", "after:US.ID" or "before:US.ID", where US.ID is the cursor of a returned file. */
static bool read_cursor(struct inbox_received_query *query, const char *text)
{
    static const struct {
        const char *word;
        enum inbox_received_from from;
    } words[] = {{"after:", INBOX_RECEIVED_AFTER}, {"before:", INBOX_RECEIVED_BEFORE}};
    char rest;

    if (strcmp(text, "newest") == 0) {
        query->from = INBOX_RECEIVED_NEWEST;
        return true;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t length = strlen(words[i].word);

        if (strncmp(text, words[i].word, length) != 0)
            continue;
        query->from = words[i].from;
        return sscanf(text + length, "%" SCNd64 ".%" SCNu32 "%c", &query->position.committed_us,
                      &query->position.transfer_id, &rest) == 2;
    }
    return false;
}

static bool read_query(struct inbox_received_query *query, struct rpc_args *args)
{
    int64_t offset = 0, limit = METHOD_PAGE_MAX;
    char *cursor = NULL;
    bool is_valid;

    rpc_args_integer(args, "since_us", false, 0, INT64_MAX, &query->since_us);
    rpc_args_integer(args, "offset", false, 0, INT32_MAX, &offset);
    rpc_args_integer(args, "limit", false, 1, METHOD_PAGE_MAX, &limit);
    rpc_args_text(args, "cursor", false, &cursor);
    query->offset = (size_t)offset;
    query->limit = (size_t)limit;
    is_valid = rpc_args_end(args);
    if (is_valid && cursor != NULL && cursor[0] != '\0' && !read_cursor(query, cursor))
        is_valid =
            rpc_args_error(args, "invalid parameter 4, cursor: expected newest, after:CURSOR "
                                 "or before:CURSOR, with the cursor of a returned file");
    if (is_valid && query->from != INBOX_RECEIVED_FROM_START && offset != 0)
        is_valid = rpc_args_error(args, "parameter 2, offset, cannot be used with a cursor");
    free(cursor);
    return is_valid;
}

static void post(struct control *control, struct http_call *call, struct received_pending *r)
{
    enum err e;

    r->request =
        (struct request){.answer_to = loop_mailbox(control->loop), .on_answer = received_answered};
    control_pending_begin(&r->pending, control, call, CONTROL_PENDING_DAEMON);
    e = mailbox_post(control->reader->box, &r->request.message, process_query);
    if (e == ERR_OK)
        return;
    control_reply_fault(call, FAULT_FULL,
                        "limit of %d waiting journal queries reached: retry later", (int)QUEUE_MAX);
    control_pending_end(&r->pending);
    free_pending(r);
}

void method_received(struct control *control, struct http_call *call, struct rpc_args *args)
{
    struct received_pending *r;

    if (!control_pending_has_room(control, call, CONTROL_PENDING_DAEMON))
        return;
    if ((r = calloc(1, sizeof *r)) == NULL) {
        control_reply_fault(call, FAULT_INTERNAL, "the daemon is out of memory");
        return;
    }
    if (!read_query(&r->query, args)) {
        control_reply_fault(call, FAULT_PARAMETERS, "%s", args->problem);
        free_pending(r);
    } else if ((r->rows = calloc(r->query.limit, sizeof *r->rows)) == NULL) {
        control_reply_fault(call, FAULT_INTERNAL, "the daemon is out of memory");
        free_pending(r);
    } else {
        post(control, call, r);
    }
}
