/* A job is what the gateway is to be told of one thing, call after call:
 *
 *   JOB_NOTICE     the notice
 *   JOB_REGISTER   register; its transfer gets the id
 *   JOB_END        [register again, if that was with an earlier instance], unregister
 *                  or cancelled_file_sending; then file_result, if a send was asked for
 *
 * What an answer means:
 *
 *                  a value      a fault                          no answer
 *   register       the id       once more; then it fails (in),   again, until [gateway] patience-s
 *                               goes without (out)               is over; then the same
 *   all others     taken        FAULTS_MAX more times; then      again, for ever, behind others
 *                               logged, counted, left */
#include "gateway_client/delivery.h"

#include "base/contract.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/text.h"
#include "gateway_client/client_internal.h"
#include "gateway_client/http_pool.h"
#include "rpc/args.h"
#include "rpc/document.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { FAULTS_MAX = 3, REST_FIRST_MS = 200, REST_MOST_MS = 5000, REGISTER_FAULTS_MAX = 1 };

static const uint32_t job_magic = 0x67617465; /* "gate" */

const char *gateway_client_delivery_method(enum gateway_client_call call)
{
    static const char *const methods[] = {
#define X(name, method) [name] = (method),
        GATEWAY_CLIENT_CALL_LIST(X)
#undef X
    };

    CONTRACT(call < CALL_NONE);
    return methods[call];
}

/* Birth, in the thread of whoever tells. */

static size_t text_bytes(const char *const text[GATEWAY_CLIENT_TEXT_COUNT])
{
    size_t bytes = 0;

    for (unsigned i = 0; i < GATEWAY_CLIENT_TEXT_COUNT; i++)
        bytes += text[i] == NULL ? 0 : strlen(text[i]) + 1;
    return bytes;
}

struct gateway_client_delivery *
gateway_client_delivery_new(enum gateway_client_delivery_kind kind,
                            const char *const text[GATEWAY_CLIENT_TEXT_COUNT])
{
    size_t bytes = text_bytes(text);
    struct gateway_client_delivery *job = calloc(1, sizeof *job + bytes);
    char *at;

    if (job == NULL)
        return NULL;
    job->magic = job_magic;
    job->kind = kind;
    job->call = CALL_NONE;
    job->text_bytes = bytes;
    at = job->bytes;
    for (unsigned i = 0; i < GATEWAY_CLIENT_TEXT_COUNT; i++) {
        size_t length = text[i] == NULL ? 0 : strlen(text[i]) + 1;

        if (length == 0)
            continue;
        memcpy(at, text[i], length);
        job->text[i] = at;
        at += length;
    }
    return job;
}

struct gateway_client_delivery *gateway_client_delivery_of(enum gateway_client_delivery_kind kind,
                                                           const struct gateway_transfer *t)
{
    const char *const text[GATEWAY_CLIENT_TEXT_COUNT] = {
        [TEXT_PROTO] = t->proto,       [TEXT_HOST] = t->host,
        [TEXT_IDURL] = t->idurl,       [TEXT_ASKED_HOST] = t->asked_host,
        [TEXT_FILENAME] = t->filename, [TEXT_DESCRIPTION] = t->description,
        [TEXT_ERROR] = t->error,
    };
    struct gateway_client_delivery *job = gateway_client_delivery_new(kind, text);

    if (job == NULL)
        return NULL;
    job->is_sending = t->is_sending;
    job->is_single = t->is_single;
    job->is_registered = t->is_registered;
    job->instance = t->instance;
    job->transfer_id = t->transfer_id;
    job->request_id = t->request_id;
    job->size_bytes = t->size_bytes;
    job->done_bytes = t->done_bytes;
    job->status = t->status;
    return job;
}

/* Which call comes next. */

static enum gateway_client_call register_call(const struct gateway_client_delivery *job)
{
    return job->is_sending ? CALL_REGISTER_SENDING : CALL_REGISTER_RECEIVING;
}

static enum gateway_client_call result_call(const struct gateway_client_delivery *job)
{
    return job->is_sending && job->request_id != 0 && job->gate->has_file_result ? CALL_FILE_RESULT
                                                                                 : CALL_NONE;
}

/* Of the end of a transfer. A single file is never registered: only its result is told. */
static enum gateway_client_call first_end_call(const struct gateway_client_delivery *job)
{
    if (job->is_registered && job->instance != job->gate->instance)
        return register_call(job);
    if (job->is_registered)
        return job->is_sending ? CALL_UNREGISTER_SENDING : CALL_UNREGISTER_RECEIVING;
    if (job->is_sending && job->status == TRANSFER_FAILED && !job->is_single)
        return CALL_CANCELLED_SENDING;
    return result_call(job);
}

static enum gateway_client_call call_after(const struct gateway_client_delivery *job)
{
    if (job->kind != JOB_END || job->call == CALL_FILE_RESULT)
        return CALL_NONE;
    if (job->call == register_call(job) && job->is_registered)
        return first_end_call(job);
    return result_call(job);
}

static void go_to(struct gateway_client_delivery *job, enum gateway_client_call call)
{
    job->call = call;
    job->faults = 0;
    job->rest_ms = 0;
    if (call == CALL_NONE)
        gateway_client_job_end(job, ERR_OK);
    else
        gateway_client_again(job->gate, job, 0);
}

void gateway_client_delivery_begin(struct gateway_client_delivery *job)
{
    MAGIC_CHECK(job, job_magic);
    job->faults = 0;
    job->rest_ms = 0;
    if (job->kind == JOB_REGISTER)
        job->call = register_call(job);
    else if (job->kind == JOB_END && job->call == CALL_FILE_RESULT)
        job->call = result_call(job);
    else if (job->kind == JOB_END)
        job->call = first_end_call(job);
}

/* Answers. */

/* A fault's sentence is the gateway's: it gets no line of its own. */
static void log_trouble(const struct gateway_client_delivery *job, const char *what,
                        const char *sentence)
{
    const char *name = job->text[TEXT_FILENAME];
    char shown_name[SETTINGS_TEXT_SIZE], shown[RPC_REASON_SIZE];

    if (name == NULL)
        name = job->text[TEXT_PROTO];
    text_escape(shown_name, sizeof shown_name, name, strlen(name), false);
    text_escape(shown, sizeof shown, sentence, strlen(sentence), false);
    log_warning("gateway: %s of %s %s: %s", gateway_client_delivery_method(job->call), shown_name,
                what, shown);
}

static void set_registered(struct gateway_client_delivery *job, uint32_t transfer_id)
{
    job->is_registered = transfer_id != 0;
    job->instance = job->gate->instance;
    if (job->is_registered)
        job->transfer_id = transfer_id;
}

/* A file that goes out needs no id, one that comes in does. */
static void give_up_registering(struct gateway_client_delivery *job, const char *sentence)
{
    if (!job->is_sending) {
        log_trouble(job, "is given up, so the file is refused", sentence);
        gateway_client_job_end(job, ERR_GATEWAY);
        return;
    }
    log_trouble(job, "is given up, the file goes unregistered", sentence);
    set_registered(job, 0);
    gateway_client_job_end(job, ERR_OK);
}

static void rest(struct gateway_client_delivery *job)
{
    job->rest_ms = job->rest_ms == 0 ? REST_FIRST_MS : job->rest_ms * 2;
    if (job->rest_ms > REST_MOST_MS)
        job->rest_ms = REST_MOST_MS;
    gateway_client_again(job->gate, job, job->rest_ms);
}

static void undelivered(struct gateway_client_delivery *job, const char *sentence)
{
    log_trouble(job, "is left undelivered", sentence);
    metrics_add(METRIC_GATEWAY_UNDELIVERED, 1);
    if (job->call == register_call(job))
        job->is_registered = false;
    go_to(job, call_after(job));
}

static void take_fault(struct gateway_client_delivery *job, const char *sentence)
{
    metrics_add(METRIC_GATEWAY_FAULTS, 1);
    job->faults++;
    if (job->kind == JOB_REGISTER && job->faults > REGISTER_FAULTS_MAX)
        give_up_registering(job, sentence);
    else if (job->kind == JOB_REGISTER)
        gateway_client_again(job->gate, job, 0);
    else if (job->faults > FAULTS_MAX)
        undelivered(job, sentence);
    else
        rest(job);
}

static void take_id(struct gateway_client_delivery *job, xmlrpc_value *value)
{
    int64_t id = 0;

    if (xmlrpc_value_type(value) == XMLRPC_TYPE_NIL) {
        set_registered(job, 0);
    } else if (rpc_args_integer_of(value, &id) && id >= 1 && id <= GATEWAY_ID_MAX) {
        set_registered(job, (uint32_t)id);
    } else {
        take_fault(job, "it answered neither nil nor a transfer id");
        return;
    }
    go_to(job, call_after(job));
}

static void take_answer(struct gateway_client_delivery *job, const struct rpc_answer *answer)
{
    gateway_client_reachable(job->gate);
    if (answer->value == NULL)
        take_fault(job, answer->text);
    else if (job->call == CALL_REGISTER_SENDING || job->call == CALL_REGISTER_RECEIVING)
        take_id(job, answer->value);
    else
        go_to(job, call_after(job));
}

static void no_answer(struct gateway_client_delivery *job, const char *problem)
{
    if (job->rest_ms == 0)
        log_trouble(job, "got no answer and will be repeated", problem);
    metrics_add(METRIC_GATEWAY_REPEATS, 1);
    rest(job);
}

void gateway_client_delivery_replied(struct gateway_client_delivery *job,
                                     const struct gateway_client_reply *reply)
{
    struct rpc_answer answer;

    MAGIC_CHECK(job, job_magic);
    if (reply->outcome == GATEWAY_CLIENT_UNREACHABLE) {
        gateway_client_again(job->gate, job, 0);
        gateway_client_unreachable(job->gate, reply->problem);
    } else if (reply->outcome == GATEWAY_CLIENT_NO_ANSWER) {
        no_answer(job, reply->problem);
    } else if (rpc_answer_parse(&answer, reply->length == 0 ? "" : reply->body, reply->length) ==
               ERR_OK) {
        take_answer(job, &answer);
        rpc_answer_fini(&answer);
    } else {
        no_answer(job, answer.text == NULL ? err_text(ERR_NO_MEMORY) : answer.text);
        rpc_answer_fini(&answer);
    }
}

void gateway_client_delivery_expired(struct gateway_client_delivery *job)
{
    MAGIC_CHECK(job, job_magic);
    give_up_registering(job, "no answer in time ([gateway] patience-s)");
}
