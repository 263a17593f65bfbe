#include "control/node.h"

#include "rpc/fault.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPOOL_TEST(name) \
    Test(control_spool, name, .init = node_start, .fini = node_stop, .timeout = 30)

static int64_t number_of(struct answer a)
{
    int64_t number;

    cr_assert_not_null(a.rpc.value, "%s", a.rpc.text);
    number = number_in(a.rpc.value, NULL);
    answer_fini(&a);
    return number;
}

static void expect_fault(struct answer a, int code, const char *part)
{
    cr_assert_null(a.rpc.value);
    cr_assert_eq(a.rpc.fault_code, code, "%d %s", a.rpc.fault_code, a.rpc.text);
    cr_assert_not_null(strstr(a.rpc.text, part), "%s", a.rpc.text);
    answer_fini(&a);
}

static int begin(const char *name, int size)
{
    return (int)number_of(ask("spool_begin", "(si)", name, size));
}

SPOOL_TEST(a_spooled_file_is_sent_under_its_name_and_removed_with_the_send)
{
    int id = begin("a letter.txt", 5), send_id;
    const struct send_request *send;
    struct answer a;
    char path[512];

    cr_assert_eq(number_of(ask("spool_write", "(i6)", id, "hel", (size_t)3)), 3);
    cr_assert_eq(number_of(ask("spool_write", "(i6)", id, "lo", (size_t)2)), 2);
    send_id = (int)number_of(ask("send_spooled", "(nis)", id, "127.0.0.1:7"));
    cr_assert_gt(send_id, 0);
    fake_wait_sends(1);
    send = fake_send(0);
    cr_assert_str_eq(strrchr(send->filename, '/'), "/a letter.txt");
    cr_assert_eq(send->size_bytes, 5u);
    cr_assert_not(send->is_single);
    snprintf(path, sizeof path, "%s", send->filename);
    cr_assert_eq(access(path, R_OK), 0);
    expect_fault(ask("send_spooled", "(nis)", id, "127.0.0.1:7"), FAULT_NOT_FOUND,
                 "unknown or expired spool id");
    fake_end_send(0, GATEWAY_TRANSFER_FAILED, "gone");
    a = ask("send_wait", "((i)i)", send_id, 20000);
    answer_fini(&a);
    cr_assert_eq(access(path, F_OK), -1);
}

SPOOL_TEST(a_single_send_stays_single)
{
    int id = begin("x", 0);

    number_of(ask("send_spooled_single", "(nis)", id, "127.0.0.1:7"));
    fake_wait_sends(1);
    cr_assert(fake_send(0)->is_single);
    fake_end_send(0, GATEWAY_TRANSFER_FINISHED, "");
}

SPOOL_TEST(each_error_is_a_fault_with_the_reason)
{
    int id = begin("x", 4);

    expect_fault(ask("spool_begin", "(si)", "a/b", 1), FAULT_FILE, "invalid file name");
    expect_fault(ask("spool_begin", "(ss)", "x", "y"), FAULT_PARAMETERS, "size");
    expect_fault(ask("spool_write", "(is)", id, "text"), FAULT_PARAMETERS, "expected base64");
    expect_fault(ask("spool_write", "(i)", id), FAULT_PARAMETERS, "missing parameter 2, bytes");
    expect_fault(ask("spool_write", "(i6)", id + 1, "x", (size_t)1), FAULT_NOT_FOUND,
                 "unknown or expired spool id");
    expect_fault(ask("spool_write", "(i6)", id, "12345", (size_t)5), FAULT_FILE,
                 "than the announced size");
    expect_fault(ask("send_spooled", "(nis)", id, "127.0.0.1:7"), FAULT_FILE, "upload incomplete");
    expect_fault(ask("send_spooled", "(nis)", 0, "127.0.0.1:7"), FAULT_PARAMETERS, "id");
}
