#include "gateway_client/delivery.h"

#include "base/contract.h"
#include "base/text.h"
#include "rpc/args.h"

#include <stdlib.h>
#include <string.h>

enum { FAULTS_MAX = 3, REGISTER_FAULTS_MAX = 1, RETRY_FIRST_MS = 200, RETRY_MAX_MS = 5000 };

static const uint32_t delivery_magic = 0x64656c76; /* "delv" */

/* Creation, in the posting thread. */

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
    struct gateway_client_delivery *d = calloc(1, sizeof *d + bytes);
    char *at;

    if (d == NULL)
        return NULL;
    d->magic = delivery_magic;
    d->kind = kind;
    d->call = GATEWAY_CLIENT_CALL_NONE;
    d->text_bytes = bytes;
    at = d->bytes;
    for (unsigned i = 0; i < GATEWAY_CLIENT_TEXT_COUNT; i++) {
        size_t length = text[i] == NULL ? 0 : strlen(text[i]) + 1;

        if (length == 0)
            continue;
        memcpy(at, text[i], length);
        d->text[i] = at;
        at += length;
    }
    return d;
}

struct gateway_client_delivery *gateway_client_delivery_of(enum gateway_client_delivery_kind kind,
                                                           const struct gateway_transfer *t)
{
    const char *const text[GATEWAY_CLIENT_TEXT_COUNT] = {
        [GATEWAY_CLIENT_TEXT_PROTO] = t->proto,
        [GATEWAY_CLIENT_TEXT_HOST] = t->host,
        [GATEWAY_CLIENT_TEXT_ASKED_HOST] = t->asked_host,
        [GATEWAY_CLIENT_TEXT_IDURL] = t->idurl,
        [GATEWAY_CLIENT_TEXT_FILENAME] = t->filename,
        [GATEWAY_CLIENT_TEXT_DESCRIPTION] = t->description,
        [GATEWAY_CLIENT_TEXT_ERROR] = t->error,
    };
    struct gateway_client_delivery *d = gateway_client_delivery_new(kind, text);

    if (d == NULL)
        return NULL;
    d->is_sending = t->is_sending;
    d->is_single = t->is_single;
    d->is_registered = t->is_registered;
    d->instance = t->instance;
    d->transfer_id = t->transfer_id;
    d->request_id = t->request_id;
    d->size_bytes = t->size_bytes;
    d->done_bytes = t->done_bytes;
    d->status = t->status;
    return d;
}

void gateway_client_delivery_free(struct gateway_client_delivery **delivery)
{
    free(*delivery);
    *delivery = NULL;
}

/* Which call comes next. */

static enum gateway_client_call register_call(const struct gateway_client_delivery *d)
{
    return d->is_sending ? GATEWAY_CLIENT_CALL_REGISTER_SENDING
                         : GATEWAY_CLIENT_CALL_REGISTER_RECEIVING;
}

static enum gateway_client_call result_call(const struct gateway_client_delivery *d,
                                            const struct gateway_client_delivery_target *target)
{
    return d->is_sending && d->request_id != 0 && target->has_file_result
               ? GATEWAY_CLIENT_CALL_FILE_RESULT
               : GATEWAY_CLIENT_CALL_NONE;
}

/* First call for the end of a transfer. A single file is never registered: only file_result. */
static enum gateway_client_call first_end_call(const struct gateway_client_delivery *d,
                                               const struct gateway_client_delivery_target *target)
{
    if (d->is_registered && d->instance != target->instance)
        return register_call(d);
    if (d->is_registered)
        return d->is_sending ? GATEWAY_CLIENT_CALL_UNREGISTER_SENDING
                             : GATEWAY_CLIENT_CALL_UNREGISTER_RECEIVING;
    if (d->is_sending && d->status == GATEWAY_TRANSFER_FAILED && !d->is_single)
        return GATEWAY_CLIENT_CALL_CANCELLED_SENDING;
    return result_call(d, target);
}

static enum gateway_client_call call_after(const struct gateway_client_delivery *d,
                                           const struct gateway_client_delivery_target *target)
{
    if (d->kind != GATEWAY_CLIENT_DELIVERY_END || d->call == GATEWAY_CLIENT_CALL_FILE_RESULT)
        return GATEWAY_CLIENT_CALL_NONE;
    if (d->call == register_call(d) && d->is_registered)
        return first_end_call(d, target);
    return result_call(d, target);
}

static enum gateway_client_call first_call(const struct gateway_client_delivery *d,
                                           const struct gateway_client_delivery_target *target)
{
    if (d->kind == GATEWAY_CLIENT_DELIVERY_NOTICE)
        return d->call;
    if (d->kind == GATEWAY_CLIENT_DELIVERY_REGISTER)
        return register_call(d);
    return d->call == GATEWAY_CLIENT_CALL_FILE_RESULT ? result_call(d, target)
                                                      : first_end_call(d, target);
}

/* Decisions. */

static void decide_done(struct gateway_client_delivery_decision *decision, enum err result)
{
    decision->action = GATEWAY_CLIENT_DELIVERY_DONE;
    decision->result = result;
}

static void decide_call(struct gateway_client_delivery *d, enum gateway_client_call call,
                        struct gateway_client_delivery_decision *decision)
{
    d->call = call;
    d->faults = 0;
    d->retry_ms = 0;
    if (call == GATEWAY_CLIENT_CALL_NONE)
        decide_done(decision, ERR_OK);
    else
        decision->action = GATEWAY_CLIENT_DELIVERY_SEND;
}

static void decide_retry(struct gateway_client_delivery *d,
                         struct gateway_client_delivery_decision *decision)
{
    d->retry_ms = d->retry_ms == 0 ? RETRY_FIRST_MS : d->retry_ms * 2;
    if (d->retry_ms > RETRY_MAX_MS)
        d->retry_ms = RETRY_MAX_MS;
    decision->action = GATEWAY_CLIENT_DELIVERY_RETRY;
    decision->delay_ms = d->retry_ms;
}

/* Escaped: a fault's text comes from the gateway and could contain newlines. */
static void set_problem(struct gateway_client_delivery_decision *decision, const char *outcome,
                        const char *reason)
{
    decision->outcome = outcome;
    text_escape(decision->problem, sizeof decision->problem, reason, strlen(reason), false);
}

static void decision_init(struct gateway_client_delivery_decision *decision,
                          const struct gateway_client_delivery *d)
{
    decision->action = GATEWAY_CLIENT_DELIVERY_SEND;
    decision->delay_ms = 0;
    decision->result = ERR_OK;
    decision->call = d->call;
    decision->is_answered = decision->is_fault = decision->is_undelivered = false;
    decision->outcome = NULL;
    decision->problem[0] = '\0';
}

bool gateway_client_delivery_is_deferred(const struct gateway_client_delivery *d)
{
    return d->kind == GATEWAY_CLIENT_DELIVERY_END && d->is_registered && d->instance == 0;
}

void gateway_client_delivery_identify(struct gateway_client_delivery *d, uint32_t instance)
{
    if (gateway_client_delivery_is_deferred(d))
        d->instance = instance;
}

void gateway_client_delivery_begin(struct gateway_client_delivery *d,
                                   const struct gateway_client_delivery_target *target,
                                   struct gateway_client_delivery_decision *decision)
{
    MAGIC_CHECK(d, delivery_magic);
    CONTRACT(!gateway_client_delivery_is_deferred(d));
    decision_init(decision, d);
    decide_call(d, first_call(d, target), decision);
}

/* Replies. */

static void set_registered(struct gateway_client_delivery *d,
                           const struct gateway_client_delivery_target *target,
                           uint32_t transfer_id)
{
    d->is_registered = transfer_id != 0;
    d->instance = target->instance;
    if (d->is_registered)
        d->transfer_id = transfer_id;
}

/* An outgoing file can proceed without an id; an incoming one is rejected. */
static void fail_registration(struct gateway_client_delivery *d,
                              const struct gateway_client_delivery_target *target,
                              const char *reason, struct gateway_client_delivery_decision *decision)
{
    if (!d->is_sending) {
        set_problem(decision, "failed, the file is rejected", reason);
        decide_done(decision, ERR_GATEWAY);
        return;
    }
    set_problem(decision, "failed, the file is sent unregistered", reason);
    set_registered(d, target, 0);
    decide_done(decision, ERR_OK);
}

static void drop_undelivered(struct gateway_client_delivery *d,
                             const struct gateway_client_delivery_target *target,
                             const char *reason, struct gateway_client_delivery_decision *decision)
{
    set_problem(decision, "is dropped as undelivered", reason);
    decision->is_undelivered = true;
    if (d->call == register_call(d))
        d->is_registered = false;
    decide_call(d, call_after(d, target), decision);
}

static void handle_fault(struct gateway_client_delivery *d,
                         const struct gateway_client_delivery_target *target, const char *reason,
                         struct gateway_client_delivery_decision *decision)
{
    decision->is_fault = true;
    d->faults++;
    if (d->kind == GATEWAY_CLIENT_DELIVERY_REGISTER && d->faults > REGISTER_FAULTS_MAX)
        fail_registration(d, target, reason, decision);
    else if (d->kind == GATEWAY_CLIENT_DELIVERY_REGISTER)
        decision->action = GATEWAY_CLIENT_DELIVERY_SEND;
    else if (d->faults > FAULTS_MAX)
        drop_undelivered(d, target, reason, decision);
    else
        decide_retry(d, decision);
}

static void handle_id(struct gateway_client_delivery *d,
                      const struct gateway_client_delivery_target *target, xmlrpc_value *value,
                      struct gateway_client_delivery_decision *decision)
{
    int64_t id = 0;

    if (xmlrpc_value_type(value) == XMLRPC_TYPE_NIL) {
        set_registered(d, target, 0);
    } else if (rpc_args_integer_of(value, &id) && id >= 1 && id <= GATEWAY_ID_MAX) {
        set_registered(d, target, (uint32_t)id);
    } else {
        handle_fault(d, target, "the response is neither nil nor a transfer id", decision);
        return;
    }
    decide_call(d, call_after(d, target), decision);
}

static void handle_answer(struct gateway_client_delivery *d,
                          const struct gateway_client_delivery_target *target,
                          const struct rpc_answer *answer,
                          struct gateway_client_delivery_decision *decision)
{
    decision->is_answered = true;
    if (answer->value == NULL)
        handle_fault(d, target, answer->text, decision);
    else if (d->call == register_call(d))
        handle_id(d, target, answer->value, decision);
    else
        decide_call(d, call_after(d, target), decision);
}

/* Logged the first time only. */
static void handle_no_response(struct gateway_client_delivery *d, const char *problem,
                               struct gateway_client_delivery_decision *decision)
{
    if (d->retry_ms == 0)
        set_problem(decision, "got no response and will be retried", problem);
    decide_retry(d, decision);
}

static void handle_body(struct gateway_client_delivery *d,
                        const struct gateway_client_delivery_target *target,
                        const struct gateway_client_reply *reply,
                        struct gateway_client_delivery_decision *decision)
{
    const char *body = reply->length == 0 ? "" : reply->body;
    struct rpc_answer answer;

    if (rpc_answer_parse(&answer, body, reply->length) == ERR_OK)
        handle_answer(d, target, &answer, decision);
    else
        handle_no_response(d, answer.text == NULL ? err_text(ERR_NO_MEMORY) : answer.text,
                           decision);
    rpc_answer_fini(&answer);
}

void gateway_client_delivery_replied(struct gateway_client_delivery *d,
                                     const struct gateway_client_delivery_target *target,
                                     const struct gateway_client_reply *reply,
                                     struct gateway_client_delivery_decision *decision)
{
    MAGIC_CHECK(d, delivery_magic);
    decision_init(decision, d);
    if (reply->outcome == GATEWAY_CLIENT_REPLY_UNREACHABLE)
        decision->action = GATEWAY_CLIENT_DELIVERY_UNREACHABLE;
    else if (reply->outcome == GATEWAY_CLIENT_REPLY_NO_ANSWER)
        handle_no_response(d, reply->problem, decision);
    else
        handle_body(d, target, reply, decision);
}

uint64_t gateway_client_delivery_left_ms(const struct gateway_client_delivery *d,
                                         uint64_t patience_ms, uint64_t answered_ms,
                                         uint64_t now_ms)
{
    uint64_t silence_ms = now_ms - answered_ms;

    if (d->was_posted || answered_ms == 0 || silence_ms >= patience_ms)
        return 0;
    return patience_ms - silence_ms;
}

void gateway_client_delivery_expire(struct gateway_client_delivery *d,
                                    const struct gateway_client_delivery_target *target,
                                    struct gateway_client_delivery_decision *decision)
{
    MAGIC_CHECK(d, delivery_magic);
    CONTRACT(d->kind == GATEWAY_CLIENT_DELIVERY_REGISTER);
    decision_init(decision, d);
    fail_registration(d, target, "timeout: no response within [gateway] patience-s", decision);
}
