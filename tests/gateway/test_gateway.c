#include "gateway/gateway.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define ROW(name)                            \
    {                                        \
        .ops = &(const struct transport_ops) \
        {                                    \
            .proto = name                    \
        }                                    \
    }
static const struct transport_row tcp = ROW("tcp"), udp = ROW("udp");
static struct event_sink *sink;
static struct gateway *gateway;
static struct gateway_transport *chosen;
static struct contact contact;
static char error[REASON_SIZE];

static void add(const struct transport_row *row, unsigned priority)
{
    struct gateway_transport *t;

    cr_assert_eq(gateway_add(gateway, row), ERR_OK);
    t = gateway_find(gateway, row->ops->proto);
    t->is_enabled = t->is_listening = t->is_sending_enabled = true;
    t->priority = priority;
    snprintf(t->state, sizeof t->state, "LISTENING");
}

static void set_up(void)
{
    cr_assert_eq(event_sink_open(&sink), ERR_OK);
    cr_assert_eq(gateway_open(&gateway, sink), ERR_OK);
}

static void two_transports(void)
{
    set_up();
    add(&tcp, 2);
    add(&udp, 1);
}

static void clean_up(void)
{
    gateway_close(&gateway);
    event_sink_close(&sink);
}

static enum err choose(const char *contacts)
{
    chosen = NULL;
    return gateway_choose(gateway, contacts, &chosen, &contact, error);
}

Test(gateway, registers_each_transport_once, .init = set_up, .fini = clean_up, .timeout = 5)
{
    static const struct transport_ops ops[] = {{.proto = "a"}, {.proto = "b"}, {.proto = "c"}};
    static const struct transport_row more[] = {
        {.ops = &ops[0]}, {.ops = &ops[1]}, {.ops = &ops[2]}};

    cr_assert_eq(gateway_count(gateway), 0);
    cr_assert_null(gateway_find(gateway, "tcp"));
    cr_assert_eq(gateway_add(gateway, &tcp), ERR_OK);
    cr_assert_eq(gateway_add(gateway, &tcp), ERR_EXISTS);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(gateway_add(gateway, &more[i]), ERR_OK);
    cr_assert_eq(gateway_add(gateway, &udp), ERR_FULL);
    cr_assert_eq(gateway_count(gateway), GATEWAY_TRANSPORTS_MAX);
    cr_assert_eq(gateway_transport_at(gateway, 0), gateway_find(gateway, "tcp"));
    cr_assert_eq(gateway_find(gateway, "tcp")->row, &tcp);
    cr_assert_not(gateway_find(gateway, "tcp")->is_enabled);
}

Test(gateway, uses_the_built_in_gateway_at_first, .init = set_up, .fini = clean_up, .timeout = 5)
{
    const struct gateway_binding *binding = gateway_current(gateway);

    cr_assert_eq(binding->ops, &gateway_builtin_ops);
    cr_assert_not_null(binding->self);
    cr_assert_not(gateway_is_full(gateway));
}

/* A gateway that counts its calls. */
static unsigned other_registered, other_ended;

static enum err other_register(void *self, struct gateway_transfer *t)
{
    cr_assert_eq(self, &other_registered);
    t->is_registered = true;
    t->instance = 1;
    other_registered++;
    return ERR_OK;
}

static enum err other_receiving_ended(void *self, struct gateway_transfer *t)
{
    (void)self;
    (void)t;
    other_ended++;
    return ERR_OK;
}

static void other_sending_ended(void *self, const struct gateway_transfer *t)
{
    (void)self;
    (void)t;
    other_ended++;
}

static bool other_is_full(void *self)
{
    (void)self;
    return true;
}

static const struct gateway_ops other_ops = {.name = "other",
                                             .register_file_sending = other_register,
                                             .register_file_receiving = other_register,
                                             .receiving_ended = other_receiving_ended,
                                             .sending_ended = other_sending_ended,
                                             .is_full = other_is_full};

Test(gateway, applies_the_result_of_a_pending_registration, .timeout = 5)
{
    struct gateway_transfer t = {.transfer_id = 7};

    t.registration =
        (struct gateway_registration){.transfer_id = 1000001, .is_registered = true, .instance = 2};
    cr_assert_eq(gateway_remote_id(&t), 0, "not applied yet");
    gateway_registered(&t);
    cr_assert(t.is_registered);
    cr_assert_eq(gateway_remote_id(&t), 1000001);
}

Test(gateway, ends_a_transfer_with_the_gateway_that_registered_it, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    struct gateway_transfer early = {.transfer_id = 1}, late = {.transfer_id = 2};
    struct gateway_transfer sent = {.transfer_id = 3, .is_sending = true};

    cr_assert_eq(gateway_register(gateway, &early), ERR_OK);
    gateway_set(gateway, &other_ops, &other_registered);
    cr_assert(gateway_is_full(gateway));
    cr_assert_eq(gateway_register(gateway, &late), ERR_OK);
    cr_assert_eq(other_registered, 1);
    cr_assert_eq(gateway_receiving_ended(gateway, &early), ERR_OK);
    cr_assert_eq(other_ended, 0, "registered with the built-in one");
    cr_assert_eq(gateway_receiving_ended(gateway, &late), ERR_OK);
    gateway_sending_ended(gateway, &sent);
    cr_assert_eq(other_ended, 2, "an unregistered one ends with the current one");
    cr_assert_eq(gateway_remote_id(&early), 0);
    cr_assert_eq(gateway_remote_id(&late), 2);
}

Test(gateway, chooses_by_priority_among_several, .init = two_transports, .fini = clean_up,
     .timeout = 5)
{
    cr_assert_eq(choose("tcp://a:1, udp://b:2 tcp://c:3"), ERR_OK);
    cr_assert_eq(chosen->row, &udp);
    cr_assert_str_eq(contact.host, "b");
    gateway_find(gateway, "udp")->priority = 3;
    cr_assert_eq(choose("tcp://a:1,udp://b:2,tcp://c:3"), ERR_OK);
    cr_assert_eq(chosen->row, &tcp);
    cr_assert_str_eq(contact.host, "a");
}

Test(gateway, skips_transports_that_cannot_send, .init = two_transports, .fini = clean_up,
     .timeout = 5)
{
    gateway_find(gateway, "udp")->is_listening = false;
    cr_assert_eq(choose("udp://b:2 a:1"), ERR_OK);
    cr_assert_eq(chosen->row, &tcp);
    gateway_find(gateway, "udp")->is_listening = true;
    gateway_find(gateway, "udp")->is_enabled = false;
    cr_assert_eq(choose("udp://b:2\ta:1\n"), ERR_OK);
    cr_assert_eq(chosen->row, &tcp);
    gateway_find(gateway, "udp")->is_enabled = true;
    gateway_find(gateway, "udp")->is_sending_enabled = false;
    cr_assert_eq(choose("udp://b:2,,a:1,"), ERR_OK);
    cr_assert_eq(chosen->row, &tcp);
}

Test(gateway, lists_both_sides_transports_when_none_is_common, .init = two_transports,
     .fini = clean_up, .timeout = 5)
{
    cr_assert_eq(choose("foo://a:1 bar://b:2 foo://c:3"), ERR_NOT_FOUND);
    cr_assert_str_eq(error, "no transport in common: the contacts offer foo, bar, this node has "
                            "tcp (LISTENING), udp (LISTENING)");
    gateway_find(gateway, "tcp")->is_enabled = false;
    gateway_find(gateway, "udp")->is_listening = false;
    snprintf(gateway_find(gateway, "udp")->state, 24, "OFFLINE");
    cr_assert_eq(choose("udp://a:1 tcp://b:2"), ERR_NOT_FOUND);
    cr_assert_str_eq(error, "no transport in common: the contacts offer udp, tcp, this node has "
                            "tcp (switched off), udp (OFFLINE)");
    cr_assert_null(chosen);
}

enum is { ON, OFF, OFFLINE, NOT_SENDING };

static void make(const char *proto, enum is is)
{
    struct gateway_transport *t = gateway_find(gateway, proto);

    t->is_enabled = is != OFF;
    t->is_listening = is == ON || is == NOT_SENDING;
    t->is_sending_enabled = is != NOT_SENDING;
    snprintf(t->state, sizeof t->state, "%s", t->is_listening ? "LISTENING" : "OFFLINE");
    snprintf(t->off_reason, sizeof t->off_reason, "%s", is != OFF ? "" : "switch it on with X");
}

Test(gateway, reports_what_is_off_and_how_to_enable_it, .init = two_transports, .fini = clean_up,
     .timeout = 5)
{
    static const struct {
        const char *contacts;
        enum is tcp, udp;
        enum err result;
        const char *error;
    } rows[] = {
        {"a:1", OFF, OFF, ERR_DISABLED, "tcp is off on this node: switch it on with X"},
        {"a:1", OFF, ON, ERR_DISABLED, "tcp is off on this node: switch it on with X"},
        {"a:1", OFF, OFFLINE, ERR_DISABLED, "tcp is off on this node: switch it on with X"},
        {"a:1", OFF, NOT_SENDING, ERR_DISABLED, "tcp is off on this node: switch it on with X"},
        {"foo://a:1,tcp://b:1", OFF, ON, ERR_DISABLED,
         "tcp is off on this node: switch it on with X"},
        {"udp://a:1", ON, OFF, ERR_DISABLED, "udp is off on this node: switch it on with X"},
        {"a:1 udp://b:1", OFF, OFF, ERR_DISABLED, "udp is off on this node: switch it on with X"},
        {"a:1 udp://b:1", OFF, ON, ERR_OK, ""},
        {"a:1 udp://b:1", ON, OFF, ERR_OK, ""},
        {"a:1 udp://b:1", OFF, OFFLINE, ERR_NOT_FOUND,
         "no transport in common: the contacts offer tcp, udp, this node has tcp (switched off), "
         "udp (OFFLINE)"},
        {"a:1 udp://b:1", OFF, NOT_SENDING, ERR_DISABLED,
         "sending over udp is switched off: set sending-enabled = true in "
         "[services/udp-transport]"},
        {"foo://a:1", OFF, OFF, ERR_NOT_FOUND,
         "no transport in common: the contacts offer foo, this node has tcp (switched off), udp "
         "(switched off)"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        make("tcp", rows[i].tcp);
        make("udp", rows[i].udp);
        cr_expect_eq(choose(rows[i].contacts), rows[i].result, "row %zu: %s", i, error);
        cr_expect_str_eq(error, rows[i].error, "row %zu: %s", i, error);
    }
}

Test(gateway, truncates_a_long_reason, .init = two_transports, .fini = clean_up, .timeout = 5)
{
    struct gateway_transport *t = gateway_find(gateway, "tcp");

    t->is_enabled = false;
    memset(t->off_reason, 'x', sizeof t->off_reason - 1);
    t->off_reason[sizeof t->off_reason - 1] = '\0';
    cr_assert_eq(choose("a:1"), ERR_DISABLED);
    cr_assert_eq(strlen(error), strlen("tcp is off on this node: ") + 200);
}

Test(gateway, reports_that_the_node_has_no_transport, .init = set_up, .fini = clean_up,
     .timeout = 5)
{
    cr_assert_eq(choose("a:1"), ERR_NOT_FOUND);
    cr_assert_str_eq(error, "no transport in common: the contacts offer tcp, this node has none");
}

Test(gateway, reports_that_sending_is_off, .init = two_transports, .fini = clean_up, .timeout = 5)
{
    gateway_find(gateway, "tcp")->is_sending_enabled = false;
    cr_assert_eq(choose("a:1"), ERR_DISABLED);
    cr_assert_not_null(strstr(error, "sending-enabled"));
    cr_assert_not_null(strstr(error, "tcp"));
}

Test(gateway, rejects_a_list_and_names_the_invalid_contact, .init = two_transports,
     .fini = clean_up, .timeout = 5)
{
    char longest[2000];

    cr_assert_eq(choose("tcp://a:1, nonsense, udp://b:2"), ERR_INVALID);
    cr_assert_not_null(strstr(error, "'nonsense'"));
    cr_assert_eq(choose("a:1,b\x01:x"), ERR_INVALID);
    cr_assert_not_null(strstr(error, "'b%01:x'"));
    cr_assert_eq(choose(""), ERR_INVALID);
    cr_assert_not_null(strstr(error, "missing contact"));
    cr_assert_eq(choose(" ,, "), ERR_INVALID);
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    cr_assert_eq(choose(longest), ERR_INVALID);
    cr_assert_not_null(strstr(error, "xxx"));
}

Test(gateway, has_a_hint_for_host_names_that_are_not_ascii, .init = two_transports,
     .fini = clean_up, .timeout = 5)
{
    cr_assert_eq(choose("a:1, \xf0\x9f\x92\xa9.example:1"), ERR_INVALID);
    cr_assert_not_null(strstr(error, "xn--"), "%s", error);
    cr_assert_eq(choose("a:1, b^c:1"), ERR_INVALID);
    cr_assert_null(strstr(error, "xn--"), "%s", error);
}

Test(gateway, accepts_sixteen_contacts_and_no_more, .init = two_transports, .fini = clean_up,
     .timeout = 5)
{
    char list[GATEWAY_CONTACTS_MAX * 4 + 8] = "";

    for (int i = 0; i < GATEWAY_CONTACTS_MAX; i++)
        strcat(list, "a:1,");
    cr_assert_eq(choose(list), ERR_OK);
    strcat(list, "a:1");
    cr_assert_eq(choose(list), ERR_INVALID);
    cr_assert_not_null(strstr(error, "16"));
}

Test(gateway, shortens_the_lists_of_many_transports, .init = two_transports, .fini = clean_up,
     .timeout = 5)
{
    char list[512] = "";

    for (int i = 0; i < GATEWAY_CONTACTS_MAX; i++)
        snprintf(list + strlen(list), sizeof list - strlen(list), "protocol-is-%c://a:1 ", 'a' + i);
    cr_assert_eq(choose(list), ERR_NOT_FOUND);
    cr_assert_not_null(strstr(error, "protocol-is-a, protocol-is-b"));
    cr_assert_not_null(strstr(error, ", ..., this node has tcp (LISTENING), udp (LISTENING)"));
}
