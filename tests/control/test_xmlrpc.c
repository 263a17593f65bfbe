#include "control/xmlrpc.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RPC_TEST(name) \
    Test(xmlrpc, name, .init = rpc_library_init, .fini = rpc_library_fini, .timeout = 20)

static const char head[] = "<?xml version='1.0' encoding='UTF-8'?>\n";

static void refuse(const char *document, size_t length, const char *part)
{
    char problem[RPC_REASON_SIZE] = "";
    struct rpc_call call;

    cr_assert_eq(rpc_call_parse(&call, document, length, problem), ERR_INVALID);
    cr_assert_not_null(strstr(problem, part), "%s", problem);
}

/* A call of `m` with one parameter. */
static enum err parse_param(struct rpc_call *call, const char *value)
{
    char document[1024], problem[RPC_REASON_SIZE] = "";
    int length =
        snprintf(document, sizeof document,
                 "%s<methodCall><methodName>m</methodName><params><param><value>%s</value></param>"
                 "</params></methodCall>",
                 head, value);

    return rpc_call_parse(call, document, (size_t)length, problem);
}

RPC_TEST(what_could_expand_or_hide_is_refused)
{
    static const char *const documents[] = {
        "<?xml version='1.0'?><!DOCTYPE m [<!ENTITY a \"aaaa\">]><methodCall/>",
        "<methodCall><![CDATA[<x>]]></methodCall>",
        "<methodCall><!-- <x> --></methodCall>",
        "<methodCall><?php </</ ?></methodCall>",
        "<?xml version='1.0' <!ENTITY ?><methodCall/>",
    };

    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++)
        refuse(documents[i], strlen(documents[i]), "refused");
}

RPC_TEST(other_encodings_than_utf8_are_refused)
{
    static const char utf16[] = "<\0m\0>\0";

    refuse(utf16, sizeof utf16 - 1, "UTF-8");
    refuse("<m>\xff</m>", 8, "UTF-8");
    refuse("<m>\xc0\xbc!</m>", 10, "UTF-8");
    refuse("<m>\xed\xa0\x80</m>", 10, "UTF-8");
    refuse("<m>\xf4\x90\x80\x80</m>", 11, "UTF-8");
    refuse("<m>\xe2\x82", 5, "UTF-8");
}

RPC_TEST(depth_is_bounded_however_it_is_written)
{
    static const char *const tags[] = {"<a>", "<a b='/>'>", "<a b=\"/>\">"};

    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        size_t count = 300000, step = strlen(tags[i]);
        char *document = malloc(count * step);

        for (size_t n = 0; n < count; n++)
            memcpy(document + n * step, tags[i], step);
        refuse(document, count * step, "deep");
        free(document);
    }
}

RPC_TEST(many_elements_beside_each_other_are_fine)
{
    struct rpc_call call;

    cr_assert_eq(parse_param(&call, "<array><data><value><nil/></value><value><nil/></value>"
                                    "<value><i8>5000000000</i8></value></data></array>"),
                 ERR_OK);
    cr_assert_str_eq(call.method, "m");
    rpc_call_fini(&call);
}

RPC_TEST(huge_documents_are_refused)
{
    size_t length = RPC_DOCUMENT_LIMIT + 1;
    char *document = malloc(length);

    memset(document, ' ', length);
    refuse(document, length, "4 MiB");
    free(document);
}

/* xmlrpc-c ends the process over each of the bad ones. */
RPC_TEST(an_i8_has_to_be_a_number_of_64_bits)
{
    static const char *const bad[] = {
        "<i8>abc</i8>",
        "<i8>5 </i8>",
        "<i8>9223372036854775808</i8>",
        "<i8>-9223372036854775809</i8>",
        "<i8>99999999999999999999</i8>",
        "<i8>1<b/>abc</i8>",
        "<i8>&#97;</i8>",
        "<i8 a='b'>abc</i8>",
        "<i8\n>abc</i8>",
        "<ex:i8>abc</ex:i8>",
        "<i8/>",
        "<i8>-</i8>",
        "<i8>",
    };
    static const char *const good[] = {"<i8>0</i8>", "<i8>-9223372036854775808</i8>",
                                       "<i8>9223372036854775807</i8>", "<i8>0005</i8>"};
    struct rpc_call call;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_expect_eq(parse_param(&call, bad[i]), ERR_INVALID, "%s", bad[i]);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert_eq(parse_param(&call, good[i]), ERR_OK, "%s", good[i]);
        rpc_call_fini(&call);
    }
}

RPC_TEST(base64_has_to_be_base64)
{
    static const char *const bad[] = {"YQ", "Y===", "!!!!", "YQ==YQ==", "YWJj\xc3\xa4", "=YQ="};
    static const char *const good[] = {"", "YQ==", "YWI=", " YW\n Jj "};
    char value[64];
    struct rpc_call call;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(value, sizeof value, "<base64>%s</base64>", bad[i]);
        cr_assert_eq(parse_param(&call, value), ERR_INVALID, "%s", bad[i]);
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        snprintf(value, sizeof value, "<base64>%s</base64>", good[i]);
        cr_assert_eq(parse_param(&call, value), ERR_OK, "%s", good[i]);
        rpc_call_fini(&call);
    }
}

RPC_TEST(every_cut_of_a_call_is_refused_and_none_crashes)
{
    const char *document = "<?xml version='1.0'?><methodCall><methodName>m</methodName><params>"
                           "<param><value><string>x</string></value></param></params></methodCall>";
    char problem[RPC_REASON_SIZE];
    struct rpc_call call;

    for (size_t length = 0; length < strlen(document); length++)
        cr_assert_eq(rpc_call_parse(&call, document, length, problem), ERR_INVALID, "%zu", length);
    cr_assert_eq(rpc_call_parse(&call, document, strlen(document), problem), ERR_OK);
    rpc_call_fini(&call);
}

/* Out as an answer and in again. */
static struct rpc_answer there_and_back(xmlrpc_value *value)
{
    struct rpc_answer answer;
    char *document;
    size_t length;

    cr_assert_eq(rpc_answer_write(&document, &length, value), ERR_OK);
    cr_assert_eq(rpc_answer_parse(&answer, document, length), ERR_OK, "%s", document);
    free(document);
    return answer;
}

static void expect_text(const char *text, const char *expected)
{
    const char *back = NULL;
    struct rpc_answer answer;
    xmlrpc_value *value;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    value = rpc_text(&env, text);
    answer = there_and_back(value);
    xmlrpc_read_string(&env, answer.value, &back);
    cr_assert(!env.fault_occurred, "%s", env.fault_string);
    cr_assert_str_eq(back, expected);
    free((void *)(uintptr_t)back);
    rpc_release(&value);
    rpc_answer_fini(&answer);
    xmlrpc_env_clean(&env);
}

RPC_TEST(text_is_always_valid_xml)
{
    expect_text("", "");
    expect_text("plain <&> 'text'", "plain <&> 'text'");
    expect_text("two\nlines\t\xc3\xa4", "two\nlines\t\xc3\xa4");
    expect_text("bell\a", "bell%07");
    expect_text("\xff\xfe", "%FF%FE");
    expect_text("\xef\xbf\xbf", "%EF%BF%BF");
    expect_text("]]>", "]]>");
}

RPC_TEST(odd_paths_keep_their_bytes)
{
    static const char *const paths[] = {"/a/\xff", "/a\nb", "/a\rb", "/\x01"};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        const unsigned char *bytes = NULL;
        struct rpc_answer answer;
        xmlrpc_value *value;
        size_t length = 0;
        xmlrpc_env env;

        xmlrpc_env_init(&env);
        value = rpc_path(&env, paths[i]);
        answer = there_and_back(value);
        xmlrpc_read_base64(&env, answer.value, &length, &bytes);
        cr_assert(!env.fault_occurred, "%s", env.fault_string);
        cr_assert_eq(length, strlen(paths[i]));
        cr_assert_arr_eq(bytes, paths[i], length);
        free((void *)(uintptr_t)bytes);
        rpc_release(&value);
        rpc_answer_fini(&answer);
        xmlrpc_env_clean(&env);
    }
}

RPC_TEST(large_integers_go_as_i8)
{
    static const int64_t numbers[] = {0,          -1,        INT32_MAX, INT32_MIN,
                                      2147483648, INT64_MAX, INT64_MIN};

    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        bool is_wide = numbers[i] > INT32_MAX || numbers[i] < INT32_MIN;
        struct rpc_args args;
        int64_t back = 5;
        xmlrpc_value *params;
        xmlrpc_env env;

        xmlrpc_env_init(&env);
        params = rpc_array(&env);
        rpc_add(&env, params, rpc_integer(&env, numbers[i]));
        struct rpc_answer answer = there_and_back(params);
        rpc_args_init(&args, answer.value);
        cr_assert(rpc_args_integer(&args, "n", true, INT64_MIN, INT64_MAX, &back), "%s",
                  args.problem);
        cr_assert_eq(back, numbers[i]);
        xmlrpc_value *item = NULL;
        xmlrpc_array_read_item(&env, answer.value, 0, &item);
        cr_assert_eq(xmlrpc_value_type(item), is_wide ? XMLRPC_TYPE_I8 : XMLRPC_TYPE_INT);
        rpc_release(&item);
        rpc_release(&params);
        rpc_answer_fini(&answer);
        xmlrpc_env_clean(&env);
    }
}

RPC_TEST(faults_carry_code_and_sentence)
{
    struct rpc_answer answer;
    char *document;
    size_t length;

    cr_assert_eq(rpc_fault_write(&document, &length, FAULT_FILE, "bad\x01 file <x>"), ERR_OK);
    cr_assert_eq(rpc_answer_parse(&answer, document, length), ERR_OK);
    cr_assert_null(answer.value);
    cr_assert_eq(answer.fault_code, FAULT_FILE);
    cr_assert_str_eq(answer.text, "bad%01 file <x>");
    rpc_answer_fini(&answer);
    free(document);
}

RPC_TEST(what_is_no_answer_is_said_to_be_none)
{
    struct rpc_answer answer;

    cr_assert_eq(rpc_answer_parse(&answer, "<a/>", 4), ERR_INVALID);
    cr_assert_not_null(answer.text);
    rpc_answer_fini(&answer);
    cr_assert_eq(rpc_answer_parse(&answer, "", 0), ERR_INVALID);
    rpc_answer_fini(&answer);
}

RPC_TEST(a_nil_or_missing_parameter_leaves_the_default)
{
    struct rpc_args args;
    struct rpc_call call;
    int64_t number = 7;
    char *text = NULL;

    cr_assert_eq(parse_param(&call, "<nil/>"), ERR_OK);
    rpc_args_init(&args, call.params);
    cr_assert(rpc_args_text(&args, "a", false, &text));
    cr_assert(rpc_args_integer(&args, "b", false, 0, 9, &number));
    cr_assert(rpc_args_end(&args));
    cr_assert_null(text);
    cr_assert_eq(number, 7);
    rpc_args_init(&args, call.params);
    cr_assert_not(rpc_args_text(&args, "a", true, &text));
    cr_assert_not_null(strstr(args.problem, "a, is missing"), "%s", args.problem);
    rpc_call_fini(&call);
}

RPC_TEST(text_with_a_nul_and_numbers_out_of_range_are_refused)
{
    struct rpc_args args;
    struct rpc_call call;
    int64_t number = 0;
    char *text = NULL;

    cr_assert_eq(parse_param(&call, "<base64>YQBi</base64>"), ERR_OK);
    rpc_args_init(&args, call.params);
    cr_assert_not(rpc_args_text(&args, "a", true, &text));
    rpc_call_fini(&call);
    cr_assert_eq(parse_param(&call, "<int>11</int>"), ERR_OK);
    rpc_args_init(&args, call.params);
    cr_assert_not(rpc_args_integer(&args, "n", true, 0, 10, &number));
    cr_assert_not_null(strstr(args.problem, "0 to 10"), "%s", args.problem);
    rpc_call_fini(&call);
}

RPC_TEST(a_path_with_a_character_of_four_bytes_goes_as_base64_and_a_text_escaped)
{
    static const char parcel[] = "\xf0\x9f\x93\xa6";
    xmlrpc_value *path, *text;
    xmlrpc_env env;

    cr_assert(!rpc_is_clean_text(parcel, strlen(parcel)));
    xmlrpc_env_init(&env);
    path = rpc_path(&env, parcel);
    text = rpc_text(&env, parcel);
    cr_assert(!env.fault_occurred, "%s", env.fault_string);
    cr_assert_eq(xmlrpc_value_type(path), XMLRPC_TYPE_BASE64);
    cr_assert_eq(xmlrpc_value_type(text), XMLRPC_TYPE_STRING);
    rpc_release(&path);
    rpc_release(&text);
    xmlrpc_env_clean(&env);
}
