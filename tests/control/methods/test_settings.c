#include "control/node.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define NODE_TEST(name) \
    Test(control_settings, name, .init = node_start, .fini = node_stop, .timeout = 30)

static void expect_fault(struct answer a, int code, const char *part)
{
    cr_assert_null(a.rpc.value);
    cr_assert_eq(a.rpc.fault_code, code, "%d %s", a.rpc.fault_code, a.rpc.text);
    cr_assert_not_null(strstr(a.rpc.text, part), "%s", a.rpc.text);
    answer_fini(&a);
}

static void expect_value(const char *name, const char *value, const char *from)
{
    struct answer a = ask("settings_get", "(s)", name);
    xmlrpc_value *key = item(a.rpc.value, 0);
    char *is = text_in(key, "value"), *is_from = text_in(key, "from");

    cr_assert_eq(length_of(a.rpc.value), 1);
    cr_assert_str_eq(is, value);
    cr_assert_not_null(strstr(is_from, from), "%s", is_from);
    free(is);
    free(is_from);
    rpc_release(&key);
    answer_fini(&a);
}

static void set(struct answer a)
{
    cr_assert_not_null(a.rpc.value, "%s", a.rpc.text);
    answer_fini(&a);
}

/* A change that restarts the transport is answered when the restart has finished. */
NODE_TEST(a_change_that_stops_the_node_from_serving_is_a_fault)
{
    static const struct {
        const char *name, *value;
        bool is_refused;   /* the port, at the restart of the transport */
        const char *fault; /* NULL: success */
    } rows[] = {
        {"tcp-port", "7800", true, "port is busy"},
        {"tcp-port", "7801", true, "port is busy"}, /* transport is stopped */
        {"tcp-port", "7802", false, NULL},
        {"receiving-enabled", "false", true, "port is busy"},
        {"receiving-enabled", "true", false, NULL},
        {"priority", "7", true, NULL}, /* no restart */
        {"sending-enabled", "false", true, NULL},
        {"enabled", "false", true, NULL}, /* disabled, so not restarted */
        {"tcp-port", "7803", true, NULL}, /* the same */
        {"enabled", "true", true, "port is busy"},
        {"tcp-port", "7804", false, NULL},
        {"tcp-port", "7804", true, NULL}, /* nothing changes */
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct answer a;

        fake_refuse_to_listen(rows[i].is_refused ? "cannot listen: port is busy" : "");
        a = ask("settings_set", "(ss)", rows[i].name, rows[i].value);
        if (rows[i].fault == NULL) {
            cr_expect_not_null(a.rpc.value, "row %zu: %s", i, a.rpc.text);
        } else {
            cr_expect_eq(a.rpc.fault_code, FAULT_FAILED, "row %zu", i);
            cr_expect_not_null(strstr(a.rpc.text == NULL ? "" : a.rpc.text, rows[i].fault),
                               "row %zu: %s", i, a.rpc.text);
        }
        answer_fini(&a);
        expect_value(rows[i].name, rows[i].value, "set"); /* in force even after a fault */
    }
}

NODE_TEST(five_settings_can_be_set_and_have_an_origin)
{
    struct answer a = ask("settings_get", "()");

    cr_assert_eq(length_of(a.rpc.value), 5);
    answer_fini(&a);
    expect_value("tcp-port", "7771", "the default");
    expect_value("services/tcp-connections/tcp-port", "7771", "the default");
    expect_fault(ask("settings_get", "(s)", "limit"), FAULT_NOT_FOUND, "limit");
}

NODE_TEST(a_set_value_is_in_force_and_written)
{
    char *file;

    cr_assert_null(node_own_settings());
    set(ask("settings_set", "(si)", "priority", 7));
    set(ask("settings_set", "(sb)", "sending-enabled", 0));
    set(ask("settings_set", "(ss)", "tcp-port", "7790"));
    expect_value("priority", "7", "settings.ini");
    expect_value("sending-enabled", "false", "settings.ini");
    expect_value("tcp-port", "7790", "settings.ini");
    expect_value("enabled", "true", "the default");
    file = node_own_settings();
    cr_assert_not_null(strstr(file, "priority = 7\n"), "%s", file);
    cr_assert_not_null(strstr(file, "tcp-port = 7790\n"), "%s", file);
    cr_assert_null(strstr(file, "\nenabled"), "%s", file);
    free(file);
}

NODE_TEST(unset_restores_the_previous_value)
{
    set(ask("settings_set", "(si)", "priority", 7));
    set(ask("settings_unset", "(s)", "priority"));
    expect_value("priority", "1", "the default");
    set(ask("settings_unset", "(s)", "priority"));
    expect_fault(ask("settings_unset", "(s)", "limit"), FAULT_NOT_FOUND,
                 "'limit' is not a runtime setting");
    expect_fault(ask("settings_unset", "()"), FAULT_PARAMETERS, "name");
}

NODE_TEST(with_sending_disabled_a_send_fails_with_the_reason)
{
    struct answer a;
    xmlrpc_value *outcome;
    char *error;
    int64_t id;

    set(ask("settings_set", "(sb)", "sending-enabled", 0));
    a = ask("send_file", "(nss)", node_file("one", 1), "127.0.0.1:7");
    id = number_in(a.rpc.value, NULL);
    answer_fini(&a);
    a = ask("send_wait", "((i))", (int)id);
    outcome = item(a.rpc.value, 0);
    error = text_in(outcome, "error");
    cr_assert_not_null(strstr(error, "sending"), "%s", error);
    free(error);
    rpc_release(&outcome);
    answer_fini(&a);
}

NODE_TEST(a_bad_value_changes_nothing)
{
    expect_fault(ask("settings_set", "(si)", "tcp-port", 0), FAULT_SETTINGS, "1 to 65535");
    expect_fault(ask("settings_set", "(ss)", "enabled", "maybe"), FAULT_SETTINGS, "true or false");
    expect_fault(ask("settings_set", "(ss)", "priority", ""), FAULT_SETTINGS, "(empty)");
    expect_fault(ask("settings_set", "(ss)", "limit", "1"), FAULT_NOT_FOUND, "tcp-port");
    expect_fault(ask("settings_set", "(s)", "priority"), FAULT_PARAMETERS, "value");
    expect_value("tcp-port", "7771", "the default");
    cr_assert_null(node_own_settings());
}

NODE_TEST(a_file_that_cannot_be_written_changes_nothing)
{
    char path[128];

    snprintf(path, sizeof path, "%s/settings.ini.new", node_folder);
    cr_assert_eq(mkdir(path, 0700), 0); /* blocks root, too */
    expect_fault(ask("settings_set", "(si)", "priority", 7), FAULT_FAILED, "nothing was changed");
    expect_value("priority", "1", "the default");
    cr_assert_null(node_own_settings());
}
