/* The decision after each reply, for each kind of delivery. */
#include "gateway_client/delivery.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INSTANCE = 5, OUR_ID = 42, GATEWAYS_ID = 77 };

static const struct gateway_client_delivery_target target = {.instance = INSTANCE,
                                                             .has_file_result = true};

/* The deliveries. */

enum kind {
    NOTICE,
    REGISTER_IN,
    REGISTER_OUT,
    END_IN,           /* registered with the current instance */
    END_OUT,          /* the same, and its send was requested */
    END_MOVED_IN,     /* registered with another instance */
    END_MOVED_OUT,    /* the same, and its send was requested */
    END_UNREGISTERED, /* a send that failed before registration */
    END_SINGLE,       /* send_file_single: only file_result */
    KIND_COUNT
};

static struct gateway_client_delivery *delivery;
static struct gateway_client_delivery_decision decision;

static struct gateway_client_delivery *make_notice(void)
{
    const char *const text[GATEWAY_CLIENT_TEXT_COUNT] = {[GATEWAY_CLIENT_TEXT_PROTO] = "tcp"};
    struct gateway_client_delivery *d =
        gateway_client_delivery_new(GATEWAY_CLIENT_DELIVERY_NOTICE, text);

    cr_assert_not_null(d);
    d->call = GATEWAY_CLIENT_CALL_RECEIVING_STARTED;
    return d;
}

static struct gateway_client_delivery *make_of(enum kind kind)
{
    bool is_register = kind == REGISTER_IN || kind == REGISTER_OUT;
    bool is_moved = kind == END_MOVED_IN || kind == END_MOVED_OUT;
    const struct gateway_transfer t = {
        .proto = "tcp",
        .idurl = "",
        .filename = "/out/file",
        .request_id = 7,
        .is_sending = kind != REGISTER_IN && kind != END_IN && kind != END_MOVED_IN,
        .is_single = kind == END_SINGLE,
        .status = GATEWAY_TRANSFER_FAILED,
        .transfer_id = OUR_ID,
        .is_registered = is_moved || kind == END_IN || kind == END_OUT,
        .instance = is_moved ? INSTANCE - 1 : INSTANCE,
    };
    struct gateway_client_delivery *d = gateway_client_delivery_of(
        is_register ? GATEWAY_CLIENT_DELIVERY_REGISTER : GATEWAY_CLIENT_DELIVERY_END, &t);

    cr_assert_not_null(d);
    return d;
}

static void begin(enum kind kind)
{
    gateway_client_delivery_free(&delivery);
    delivery = kind == NOTICE ? make_notice() : make_of(kind);
    gateway_client_delivery_begin(delivery, &target, &decision);
}

/* The replies. */

enum reply { VALUE, NIL, WORD, FAULT, MALFORMED, EMPTY, NO_ANSWER, UNREACHABLE, REPLY_COUNT };

static const char *const reply_names[REPLY_COUNT] = {
    "value", "nil", "word", "fault", "malformed", "empty", "no answer", "unreachable"};

/* malloc; NULL: a reply without a body */
static char *body_of(enum reply reply)
{
    xmlrpc_value *value = NULL;
    char *body = NULL;
    size_t length;
    xmlrpc_env env;

    if (reply == MALFORMED)
        return strdup("<methodResponse>");
    if (reply == FAULT) {
        cr_assert_eq(rpc_answer_write_fault(&body, &length, 1, "disk\nfull"), ERR_OK);
        return body;
    }
    xmlrpc_env_init(&env);
    if (reply == VALUE)
        value = rpc_integer(&env, GATEWAYS_ID);
    else if (reply == NIL)
        value = rpc_nil(&env);
    else if (reply == WORD)
        value = rpc_text(&env, "ok");
    if (value != NULL)
        cr_assert_eq(rpc_answer_write(&body, &length, value), ERR_OK);
    rpc_release(&value);
    xmlrpc_env_clean(&env);
    return body;
}

static void reply_with(enum reply reply, unsigned times)
{
    char *body = body_of(reply);
    const struct gateway_client_reply r = {
        .outcome = reply == NO_ANSWER     ? GATEWAY_CLIENT_REPLY_NO_ANSWER
                   : reply == UNREACHABLE ? GATEWAY_CLIENT_REPLY_UNREACHABLE
                                          : GATEWAY_CLIENT_REPLY_ANSWERED,
        .body = body,
        .length = body == NULL ? 0 : strlen(body),
        .problem = "Timeout was reached",
    };

    while (times-- > 0)
        gateway_client_delivery_replied(delivery, &target, &r, &decision);
    free(body);
}

/* The table. */

enum { ANSWERED = 1, FAULTED = 2, UNDELIVERED = 4, LOGGED = 8 };

#define CALL(name) GATEWAY_CLIENT_CALL_##name
#define SEND       GATEWAY_CLIENT_DELIVERY_SEND
#define RETRY      GATEWAY_CLIENT_DELIVERY_RETRY
#define DONE       GATEWAY_CLIENT_DELIVERY_DONE
#define AGAIN      GATEWAY_CLIENT_DELIVERY_UNREACHABLE
#define LEFT       (ANSWERED | FAULTED | UNDELIVERED | LOGGED)
#define REFUSED    (ANSWERED | FAULTED | LOGGED)

static const struct row {
    enum kind kind;
    enum reply reply;
    unsigned times;
    enum gateway_client_delivery_action action;
    uint64_t delay_ms;
    enum gateway_client_call call; /* the next one */
    unsigned flags;
    enum err result;
    uint32_t registered_id; /* 0: not registered */
} rows[] = {
    {NOTICE, VALUE, 1, DONE, 0, CALL(NONE), ANSWERED, ERR_OK, 0},
    {NOTICE, NIL, 1, DONE, 0, CALL(NONE), ANSWERED, ERR_OK, 0},
    {NOTICE, FAULT, 1, RETRY, 200, CALL(RECEIVING_STARTED), ANSWERED | FAULTED, ERR_OK, 0},
    {NOTICE, FAULT, 3, RETRY, 800, CALL(RECEIVING_STARTED), ANSWERED | FAULTED, ERR_OK, 0},
    {NOTICE, FAULT, 4, DONE, 0, CALL(NONE), LEFT, ERR_OK, 0},
    {NOTICE, MALFORMED, 1, RETRY, 200, CALL(RECEIVING_STARTED), LOGGED, ERR_OK, 0},
    {NOTICE, EMPTY, 1, RETRY, 200, CALL(RECEIVING_STARTED), LOGGED, ERR_OK, 0},
    {NOTICE, NO_ANSWER, 1, RETRY, 200, CALL(RECEIVING_STARTED), LOGGED, ERR_OK, 0},
    {NOTICE, NO_ANSWER, 2, RETRY, 400, CALL(RECEIVING_STARTED), 0, ERR_OK, 0},
    {NOTICE, NO_ANSWER, 5, RETRY, 3200, CALL(RECEIVING_STARTED), 0, ERR_OK, 0},
    {NOTICE, NO_ANSWER, 6, RETRY, 5000, CALL(RECEIVING_STARTED), 0, ERR_OK, 0},
    {NOTICE, NO_ANSWER, 100, RETRY, 5000, CALL(RECEIVING_STARTED), 0, ERR_OK, 0},
    {NOTICE, UNREACHABLE, 1, AGAIN, 0, CALL(RECEIVING_STARTED), 0, ERR_OK, 0},
    {NOTICE, UNREACHABLE, 100, AGAIN, 0, CALL(RECEIVING_STARTED), 0, ERR_OK, 0},

    {REGISTER_IN, VALUE, 1, DONE, 0, CALL(NONE), ANSWERED, ERR_OK, GATEWAYS_ID},
    {REGISTER_IN, NIL, 1, DONE, 0, CALL(NONE), ANSWERED, ERR_OK, 0},
    {REGISTER_IN, WORD, 1, SEND, 0, CALL(REGISTER_RECEIVING), ANSWERED | FAULTED, ERR_OK, 0},
    {REGISTER_IN, WORD, 2, DONE, 0, CALL(REGISTER_RECEIVING), REFUSED, ERR_GATEWAY, 0},
    {REGISTER_IN, FAULT, 1, SEND, 0, CALL(REGISTER_RECEIVING), ANSWERED | FAULTED, ERR_OK, 0},
    {REGISTER_IN, FAULT, 2, DONE, 0, CALL(REGISTER_RECEIVING), REFUSED, ERR_GATEWAY, 0},
    {REGISTER_IN, MALFORMED, 1, RETRY, 200, CALL(REGISTER_RECEIVING), LOGGED, ERR_OK, 0},
    {REGISTER_IN, EMPTY, 2, RETRY, 400, CALL(REGISTER_RECEIVING), 0, ERR_OK, 0},
    {REGISTER_IN, NO_ANSWER, 1, RETRY, 200, CALL(REGISTER_RECEIVING), LOGGED, ERR_OK, 0},
    {REGISTER_IN, NO_ANSWER, 100, RETRY, 5000, CALL(REGISTER_RECEIVING), 0, ERR_OK, 0},
    {REGISTER_IN, UNREACHABLE, 100, AGAIN, 0, CALL(REGISTER_RECEIVING), 0, ERR_OK, 0},

    {REGISTER_OUT, VALUE, 1, DONE, 0, CALL(NONE), ANSWERED, ERR_OK, GATEWAYS_ID},
    {REGISTER_OUT, NIL, 1, DONE, 0, CALL(NONE), ANSWERED, ERR_OK, 0},
    {REGISTER_OUT, WORD, 2, DONE, 0, CALL(REGISTER_SENDING), REFUSED, ERR_OK, 0},
    {REGISTER_OUT, FAULT, 1, SEND, 0, CALL(REGISTER_SENDING), ANSWERED | FAULTED, ERR_OK, 0},
    {REGISTER_OUT, FAULT, 2, DONE, 0, CALL(REGISTER_SENDING), REFUSED, ERR_OK, 0},
    {REGISTER_OUT, MALFORMED, 1, RETRY, 200, CALL(REGISTER_SENDING), LOGGED, ERR_OK, 0},
    {REGISTER_OUT, NO_ANSWER, 100, RETRY, 5000, CALL(REGISTER_SENDING), 0, ERR_OK, 0},
    {REGISTER_OUT, UNREACHABLE, 1, AGAIN, 0, CALL(REGISTER_SENDING), 0, ERR_OK, 0},

    {END_IN, VALUE, 1, DONE, 0, CALL(NONE), ANSWERED, ERR_OK, OUR_ID},
    {END_IN, FAULT, 1, RETRY, 200, CALL(UNREGISTER_RECEIVING), ANSWERED | FAULTED, ERR_OK, OUR_ID},
    {END_IN, FAULT, 4, DONE, 0, CALL(NONE), LEFT, ERR_OK, OUR_ID},
    {END_IN, MALFORMED, 1, RETRY, 200, CALL(UNREGISTER_RECEIVING), LOGGED, ERR_OK, OUR_ID},
    {END_IN, NO_ANSWER, 100, RETRY, 5000, CALL(UNREGISTER_RECEIVING), 0, ERR_OK, OUR_ID},
    {END_IN, UNREACHABLE, 1, AGAIN, 0, CALL(UNREGISTER_RECEIVING), 0, ERR_OK, OUR_ID},

    {END_OUT, NIL, 1, SEND, 0, CALL(FILE_RESULT), ANSWERED, ERR_OK, OUR_ID},
    {END_OUT, NIL, 2, DONE, 0, CALL(NONE), ANSWERED, ERR_OK, OUR_ID},
    {END_OUT, FAULT, 3, RETRY, 800, CALL(UNREGISTER_SENDING), ANSWERED | FAULTED, ERR_OK, OUR_ID},
    {END_OUT, FAULT, 4, SEND, 0, CALL(FILE_RESULT), LEFT, ERR_OK, OUR_ID},
    {END_OUT, FAULT, 8, DONE, 0, CALL(NONE), LEFT, ERR_OK, OUR_ID},
    {END_OUT, MALFORMED, 1, RETRY, 200, CALL(UNREGISTER_SENDING), LOGGED, ERR_OK, OUR_ID},
    {END_OUT, NO_ANSWER, 100, RETRY, 5000, CALL(UNREGISTER_SENDING), 0, ERR_OK, OUR_ID},
    {END_OUT, UNREACHABLE, 1, AGAIN, 0, CALL(UNREGISTER_SENDING), 0, ERR_OK, OUR_ID},

    {END_MOVED_IN, VALUE, 1, SEND, 0, CALL(UNREGISTER_RECEIVING), ANSWERED, ERR_OK, GATEWAYS_ID},
    {END_MOVED_IN, VALUE, 2, DONE, 0, CALL(NONE), ANSWERED, ERR_OK, GATEWAYS_ID},
    {END_MOVED_IN, NIL, 1, DONE, 0, CALL(NONE), ANSWERED, ERR_OK, 0},
    {END_MOVED_IN, WORD, 1, RETRY, 200, CALL(REGISTER_RECEIVING), ANSWERED | FAULTED, ERR_OK,
     OUR_ID},
    {END_MOVED_IN, FAULT, 4, DONE, 0, CALL(NONE), LEFT, ERR_OK, 0},
    {END_MOVED_IN, MALFORMED, 1, RETRY, 200, CALL(REGISTER_RECEIVING), LOGGED, ERR_OK, OUR_ID},
    {END_MOVED_IN, NO_ANSWER, 100, RETRY, 5000, CALL(REGISTER_RECEIVING), 0, ERR_OK, OUR_ID},
    {END_MOVED_IN, UNREACHABLE, 1, AGAIN, 0, CALL(REGISTER_RECEIVING), 0, ERR_OK, OUR_ID},

    {END_MOVED_OUT, VALUE, 1, SEND, 0, CALL(UNREGISTER_SENDING), ANSWERED, ERR_OK, GATEWAYS_ID},
    {END_MOVED_OUT, VALUE, 3, DONE, 0, CALL(NONE), ANSWERED, ERR_OK, GATEWAYS_ID},
    {END_MOVED_OUT, NIL, 1, SEND, 0, CALL(FILE_RESULT), ANSWERED, ERR_OK, 0},
    {END_MOVED_OUT, FAULT, 4, SEND, 0, CALL(FILE_RESULT), LEFT, ERR_OK, 0},
    {END_MOVED_OUT, MALFORMED, 1, RETRY, 200, CALL(REGISTER_SENDING), LOGGED, ERR_OK, OUR_ID},
    {END_MOVED_OUT, NO_ANSWER, 100, RETRY, 5000, CALL(REGISTER_SENDING), 0, ERR_OK, OUR_ID},
    {END_MOVED_OUT, UNREACHABLE, 1, AGAIN, 0, CALL(REGISTER_SENDING), 0, ERR_OK, OUR_ID},

    {END_UNREGISTERED, NIL, 1, SEND, 0, CALL(FILE_RESULT), ANSWERED, ERR_OK, 0},
    {END_UNREGISTERED, NIL, 2, DONE, 0, CALL(NONE), ANSWERED, ERR_OK, 0},
    {END_UNREGISTERED, FAULT, 1, RETRY, 200, CALL(CANCELLED_SENDING), ANSWERED | FAULTED, ERR_OK,
     0},
    {END_UNREGISTERED, FAULT, 4, SEND, 0, CALL(FILE_RESULT), LEFT, ERR_OK, 0},
    {END_UNREGISTERED, MALFORMED, 1, RETRY, 200, CALL(CANCELLED_SENDING), LOGGED, ERR_OK, 0},
    {END_UNREGISTERED, NO_ANSWER, 100, RETRY, 5000, CALL(CANCELLED_SENDING), 0, ERR_OK, 0},
    {END_UNREGISTERED, UNREACHABLE, 1, AGAIN, 0, CALL(CANCELLED_SENDING), 0, ERR_OK, 0},

    {END_SINGLE, NIL, 1, DONE, 0, CALL(NONE), ANSWERED, ERR_OK, 0},
    {END_SINGLE, FAULT, 1, RETRY, 200, CALL(FILE_RESULT), ANSWERED | FAULTED, ERR_OK, 0},
    {END_SINGLE, FAULT, 4, DONE, 0, CALL(NONE), LEFT, ERR_OK, 0},
    {END_SINGLE, MALFORMED, 1, RETRY, 200, CALL(FILE_RESULT), LOGGED, ERR_OK, 0},
    {END_SINGLE, NO_ANSWER, 100, RETRY, 5000, CALL(FILE_RESULT), 0, ERR_OK, 0},
    {END_SINGLE, UNREACHABLE, 1, AGAIN, 0, CALL(FILE_RESULT), 0, ERR_OK, 0},
};

static unsigned flags_of(const struct gateway_client_delivery_decision *d)
{
    return (d->is_answered ? ANSWERED : 0u) | (d->is_fault ? FAULTED : 0u) |
           (d->is_undelivered ? UNDELIVERED : 0u) | (d->outcome != NULL ? LOGGED : 0u);
}

static void check(const struct row *row)
{
    char where[60];

    snprintf(where, sizeof where, "row %d, %s x %u", (int)(row - rows), reply_names[row->reply],
             row->times);
    begin(row->kind);
    cr_assert_eq(decision.action, SEND, "%s", where);
    reply_with(row->reply, row->times);
    cr_expect_eq(decision.action, row->action, "%s: action %d", where, (int)decision.action);
    cr_expect_eq(decision.delay_ms, row->delay_ms, "%s: delay", where);
    cr_expect_eq(decision.result, row->result, "%s: result", where);
    cr_expect_eq(delivery->call, row->call, "%s: call %d", where, (int)delivery->call);
    cr_expect_eq(flags_of(&decision), row->flags, "%s: flags %u", where, flags_of(&decision));
    cr_expect_eq(delivery->is_registered ? delivery->transfer_id : 0, row->registered_id,
                 "%s: registered", where);
}

static void clean_up(void)
{
    gateway_client_delivery_free(&delivery);
    rpc_library_fini();
}

#define DELIVERY_TEST(name) \
    Test(delivery, name, .init = rpc_library_init, .fini = clean_up, .timeout = 5)

DELIVERY_TEST(decides_as_in_the_table)
{
    unsigned seen[KIND_COUNT] = {0};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check(&rows[i]);
        seen[rows[i].kind] |= 1u << rows[i].reply;
    }
    for (unsigned kind = 0; kind < KIND_COUNT; kind++)
        for (unsigned reply = FAULT; reply < REPLY_COUNT; reply++)
            cr_assert(reply == EMPTY || (seen[kind] & 1u << reply) != 0, "no row for %u and %s",
                      kind, reply_names[reply]);
}

DELIVERY_TEST(gives_the_call_and_reason_of_a_failure_in_one_line)
{
    begin(END_OUT);
    reply_with(FAULT, 4);
    cr_assert_eq(decision.call, GATEWAY_CLIENT_CALL_UNREGISTER_SENDING);
    cr_assert_not_null(strstr(decision.problem, "full"));
    cr_assert_null(strchr(decision.problem, '\n'));
}

DELIVERY_TEST(keeps_its_own_id_if_the_gateway_returns_nil)
{
    begin(REGISTER_OUT);
    reply_with(NIL, 1);
    cr_assert_not(delivery->is_registered);
    cr_assert_eq(delivery->transfer_id, OUR_ID);
}

DELIVERY_TEST(belongs_to_the_instance_that_registered_it)
{
    begin(END_MOVED_IN);
    reply_with(VALUE, 1);
    cr_assert_eq(delivery->instance, INSTANCE);
}

DELIVERY_TEST(counts_retries_per_call)
{
    begin(END_OUT);
    reply_with(FAULT, 2);
    reply_with(NO_ANSWER, 2);
    cr_assert_eq(decision.delay_ms, 1600);
    reply_with(NIL, 1);
    reply_with(NO_ANSWER, 1);
    cr_assert_eq(decision.delay_ms, 200);
    cr_assert_not_null(decision.outcome);
    reply_with(FAULT, 3);
    cr_assert_eq(decision.action, RETRY);
}

DELIVERY_TEST(sends_no_result_to_a_gateway_without_file_result)
{
    const struct gateway_client_delivery_target without_result = {.instance = INSTANCE};

    begin(END_SINGLE);
    gateway_client_delivery_begin(delivery, &without_result, &decision);
    cr_assert_eq(decision.action, DONE);
    cr_assert_eq(decision.result, ERR_OK);
}

/* Another instance. */

static const struct gateway_client_delivery_target next = {.instance = INSTANCE + 1,
                                                           .has_file_result = true};

static const struct {
    enum kind kind;
    enum reply reply; /* before the change; */
    unsigned times;   /* 0: none */
    enum gateway_client_call call;
} changes[] = {
    {NOTICE, NO_ANSWER, 2, CALL(RECEIVING_STARTED)},
    {REGISTER_IN, NO_ANSWER, 3, CALL(REGISTER_RECEIVING)},
    {REGISTER_OUT, FAULT, 1, CALL(REGISTER_SENDING)},
    {END_IN, FAULT, 3, CALL(REGISTER_RECEIVING)},
    {END_OUT, NO_ANSWER, 3, CALL(REGISTER_SENDING)},
    {END_OUT, VALUE, 1, CALL(FILE_RESULT)}, /* already unregistered: only file_result is left */
    {END_MOVED_IN, VALUE, 1, CALL(REGISTER_RECEIVING)},
    {END_UNREGISTERED, UNREACHABLE, 1, CALL(CANCELLED_SENDING)},
    {END_SINGLE, NO_ANSWER, 1, CALL(FILE_RESULT)},
};

DELIVERY_TEST(restarts_for_another_instance)
{
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        begin(changes[i].kind);
        reply_with(changes[i].reply, changes[i].times);
        gateway_client_delivery_begin(delivery, &next, &decision);
        cr_expect_eq(decision.action, SEND, "row %zu", i);
        cr_expect_eq(delivery->call, changes[i].call, "row %zu: call %d", i, (int)delivery->call);
        cr_expect_eq(delivery->retry_ms + delivery->faults, 0, "row %zu: counters reset", i);
    }
}

DELIVERY_TEST(of_an_earlier_run_is_deferred_until_identified)
{
    begin(END_IN);
    delivery->instance = 0;
    cr_assert(gateway_client_delivery_is_deferred(delivery));
    gateway_client_delivery_identify(delivery, INSTANCE);
    cr_assert_not(gateway_client_delivery_is_deferred(delivery));
    gateway_client_delivery_begin(delivery, &target, &decision);
    cr_assert_eq(delivery->call, GATEWAY_CLIENT_CALL_UNREGISTER_RECEIVING, "same instance");
}

DELIVERY_TEST(of_an_earlier_run_is_registered_again_with_another_gateway)
{
    begin(END_IN);
    delivery->instance = 0;
    gateway_client_delivery_identify(delivery, GATEWAY_CLIENT_INSTANCE_EARLIER);
    gateway_client_delivery_identify(delivery, INSTANCE); /* a no-op: already identified */
    gateway_client_delivery_begin(delivery, &target, &decision);
    cr_assert_eq(delivery->call, GATEWAY_CLIENT_CALL_REGISTER_RECEIVING);
}

/* Timeout. */

static const struct {
    bool was_posted;
    uint64_t answered_ms, now_ms, left_ms;
} waits[] = {
    {false, 0, 5000, 0},       /* the gateway has never answered */
    {false, 4000, 5000, 2000}, /* it answers; this call is queued */
    {false, 2001, 5000, 1},    /* the last millisecond */
    {false, 2000, 5000, 0},    /* no response for all of patience */
    {true, 4999, 5000, 0},     /* already posted */
};

DELIVERY_TEST(does_not_count_time_queued_behind_answered_calls)
{
    begin(REGISTER_IN);
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        delivery->was_posted = waits[i].was_posted;
        cr_expect_eq(
            gateway_client_delivery_left_ms(delivery, 3000, waits[i].answered_ms, waits[i].now_ms),
            waits[i].left_ms, "row %zu", i);
    }
}

DELIVERY_TEST(rejects_an_incoming_file_after_patience)
{
    begin(REGISTER_IN);
    reply_with(NO_ANSWER, 2);
    gateway_client_delivery_expire(delivery, &target, &decision);
    cr_assert_eq(decision.action, DONE);
    cr_assert_eq(decision.result, ERR_GATEWAY);
    cr_assert_not_null(decision.outcome);
}

DELIVERY_TEST(sends_an_outgoing_file_unregistered_after_patience)
{
    begin(REGISTER_OUT);
    gateway_client_delivery_expire(delivery, &target, &decision);
    cr_assert_eq(decision.action, DONE);
    cr_assert_eq(decision.result, ERR_OK);
    cr_assert_not(delivery->is_registered);
    cr_assert_eq(delivery->transfer_id, OUR_ID);
}
