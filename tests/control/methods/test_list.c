#include "control/node.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define NODE_TEST(name) \
    Test(control_lists, name, .init = node_start, .fini = node_stop, .timeout = 30)

static void expect_fault(struct answer a, int code, const char *part)
{
    cr_assert_null(a.rpc.value);
    cr_assert_eq(a.rpc.fault_code, code, "%d %s", a.rpc.fault_code, a.rpc.text);
    cr_assert_not_null(strstr(a.rpc.text, part), "%s", a.rpc.text);
    answer_fini(&a);
}

static void expect_members(xmlrpc_value *of, const char *const *names, size_t count)
{
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    for (size_t i = 0; i < count; i++)
        cr_assert(xmlrpc_struct_has_key(&env, of, names[i]), "%s", names[i]);
    cr_assert(!env.fault_occurred);
    xmlrpc_env_clean(&env);
}

static void expect_bool(struct answer a, bool expected)
{
    cr_assert_not_null(a.rpc.value, "%s", a.rpc.text);
    cr_assert_eq(number_in(a.rpc.value, NULL), expected);
    answer_fini(&a);
}

NODE_TEST(a_session_has_the_fields_that_a_gateway_expects)
{
    static const char *const names[] = {
        "id",        "proto",         "state",      "host",     "idurl",          "verified",
        "worker",    "direction",     "bytes_sent", "files_in", "bytes_received", "files_out",
        "opened_at", "last_activity", "age_s"};
    struct answer a = ask("find_session", "(s)", "192.0.2.9:7771");
    xmlrpc_value *s = item(a.rpc.value, 0);
    char *direction = text_in(s, "direction");

    expect_members(s, names, sizeof names / sizeof *names);
    cr_assert_str_eq(direction, "out");
    cr_assert_eq(number_in(s, "bytes_sent"), INT64_C(5000000000));
    cr_assert_eq(number_in(s, "opened_at"), 1700000000);
    cr_assert_eq(number_in(s, "age_s"), 7);
    free(direction);
    rpc_release(&s);
    answer_fini(&a);
}

NODE_TEST(a_stream_has_the_fields_that_a_gateway_expects)
{
    static const char *const names[] = {"transfer_id",   "stream_id",   "type",
                                        "host",          "idurl",       "filename",
                                        "bytes_current", "bytes_total", "bytes_per_second",
                                        "started_at",    "age_s"};
    struct answer a = ask("find_stream", "(ni)", 65537);

    expect_members(a.rpc.value, names, sizeof names / sizeof *names);
    answer_fini(&a);
}

NODE_TEST(an_unknown_stream_is_nil)
{
    struct answer a = ask("find_stream", "(ni)", 4);

    cr_assert_not_null(a.rpc.value);
    cr_assert_eq(xmlrpc_value_type(a.rpc.value), XMLRPC_TYPE_NIL);
    answer_fini(&a);
    expect_fault(ask("find_stream", "()"), FAULT_PARAMETERS, "transfer_id");
}

static size_t sessions_found(struct answer a)
{
    size_t count;

    cr_assert_not_null(a.rpc.value, "%s", a.rpc.text);
    count = length_of(a.rpc.value);
    answer_fini(&a);
    return count;
}

NODE_TEST(sessions_are_found_by_host_and_by_identity)
{
    cr_assert_eq(sessions_found(ask("find_session", "(s)", "tcp://192.0.2.9:7771")), 1);
    cr_assert_eq(sessions_found(ask("find_session", "((si))", "192.0.2.9", 7771)), 1);
    cr_assert_eq(sessions_found(ask("find_session", "(6)", "192.0.2.9:7771", (size_t)14)), 1);
    cr_assert_eq(sessions_found(ask("find_session", "(ns)", "bob")), 1);
    cr_assert_eq(sessions_found(ask("find_session", "(s)", "192.0.2.8:7771")), 0);
    cr_assert_eq(sessions_found(ask("find_session", "(ss)", "192.0.2.9:7771", "eve")), 0);
    expect_fault(ask("find_session", "(s)", "a.name:7771"), FAULT_PARAMETERS, "a.name");
}

NODE_TEST(a_host_can_be_a_pair)
{
    struct answer a;

    expect_bool(ask("send_keep_alive", "((si))", "127.0.0.1", 7771), true);
    expect_bool(ask("send_keep_alive", "((6i))", "::1", (size_t)3, 7771), true);
    expect_bool(ask("disconnect_from", "((si))", "127.0.0.1", 7), false);
    expect_bool(ask("cancel_outbox_file", "((si)s)", "127.0.0.1", 7, "/tmp/x"), false);
    expect_fault(ask("send_keep_alive", "((si))", "127.0.0.1", 70000), FAULT_PARAMETERS, "host");
    expect_fault(ask("send_keep_alive", "((s))", "127.0.0.1"), FAULT_PARAMETERS, "host");
    a = ask("send_file", "(ns(si))", node_file("one", 1), "127.0.0.1", 7);
    cr_assert_eq(number_in(a.rpc.value, NULL), 1);
    answer_fini(&a);
    a = ask("send_file_single", "(ns((si)s))", node_file("two", 1), "::1", 7, "127.0.0.1:8");
    cr_assert_eq(number_in(a.rpc.value, NULL), 2);
    answer_fini(&a);
    fake_wait_sends(2);
    cr_assert_str_eq(fake_send(1)->route.contact.host, "::1");
}

NODE_TEST(own_contacts_are_built_and_verified)
{
    struct answer a = ask("build_contacts", "()");
    xmlrpc_value *one = item(a.rpc.value, 0);
    struct answer again = ask("verify_contacts", "((Vs))", one, "tcp://192.0.2.200:1");

    cr_assert_eq(length_of(a.rpc.value), 1);
    expect_bool(again, true);
    expect_bool(ask("verify_contacts", "((ss))", "udp://192.0.2.7:7771", "nonsense"), false);
    expect_bool(ask("verify_contacts", "(s)", "tcp://192.0.2.7:7772"), false);
    rpc_release(&one);
    answer_fini(&a);
}
