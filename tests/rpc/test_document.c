#include "rpc/args.h"
#include "rpc/document.h"

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

RPC_TEST(entities_and_hidden_tags_are_refused)
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

RPC_TEST(nesting_depth_is_limited)
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

RPC_TEST(many_sibling_elements_are_accepted)
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

/* xmlrpc-c crashes on each of the bad ones. */
RPC_TEST(an_i8_must_be_a_64_bit_integer)
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

RPC_TEST(invalid_base64_is_refused)
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

RPC_TEST(truncated_calls_are_refused_without_a_crash)
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

/* Writes an answer and parses it again. */
static struct rpc_answer round_trip(xmlrpc_value *value)
{
    struct rpc_answer answer;
    char *document;
    size_t length;

    cr_assert_eq(rpc_answer_write(&document, &length, value), ERR_OK);
    cr_assert_eq(rpc_answer_parse(&answer, document, length), ERR_OK, "%s", document);
    free(document);
    return answer;
}

/* The bytes of a string or base64 value. */
static char *bytes_of(const struct rpc_answer *answer, size_t *length)
{
    const unsigned char *bytes = NULL;
    const char *text = NULL;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    if (xmlrpc_value_type(answer->value) == XMLRPC_TYPE_BASE64)
        xmlrpc_read_base64(&env, answer->value, length, &bytes);
    else
        xmlrpc_read_string_lp(&env, answer->value, length, &text);
    cr_assert(!env.fault_occurred, "%s", env.fault_string);
    xmlrpc_env_clean(&env);
    return (char *)(uintptr_t)(bytes != NULL ? (const void *)bytes : text);
}

RPC_TEST(text_and_paths_keep_their_bytes)
{
    enum { STRING = XMLRPC_TYPE_STRING, BASE64 = XMLRPC_TYPE_BASE64 };
    static const struct {
        const char *text;
        int as_text, as_path;
    } rows[] = {
        {"", STRING, STRING},
        {"plain <&> 'text'", STRING, STRING},
        {"100 % of %41", STRING, STRING},
        {"]]>", STRING, STRING},
        {"\xc3\xa4\xe2\x82\xac", STRING, STRING},      /* of two and three bytes */
        {"\xc2\x85 and \xe2\x80\xa8", STRING, STRING}, /* line ends of Unicode */
        {"\xef\xbf\xbd", STRING, STRING},              /* U+FFFD */
        {"two\nlines\t", STRING, BASE64},
        {"/a\rb", BASE64, BASE64},
        {"bell\a", BASE64, BASE64},
        {"\x7f", BASE64, BASE64},
        {"/\x01", BASE64, BASE64},
        {"\xff\xfe", BASE64, BASE64},
        {"\xef\xbf\xbf", BASE64, BASE64},          /* U+FFFF, which XML forbids */
        {"\xed\xa0\x80", BASE64, BASE64},          /* half of a pair */
        {"\xc0\xaf", BASE64, BASE64},              /* overlong */
        {"/\xf0\x9f\x93\xa6.txt", BASE64, BASE64}, /* U+1F4E6 */
        {"\xf4\x8f\xbf\xbd", BASE64, BASE64},      /* U+10FFFD */
        {"cut \xf0\x9f\x93", BASE64, BASE64},
    };

    for (size_t i = 0; i < 2 * (sizeof rows / sizeof *rows); i++) {
        const char *text = rows[i / 2].text;
        bool is_path = i % 2 == 1;
        struct rpc_answer answer;
        xmlrpc_value *value;
        size_t length = 0;
        char *back;
        xmlrpc_env env;

        xmlrpc_env_init(&env);
        value = is_path ? rpc_path(&env, text) : rpc_text(&env, text);
        cr_expect_eq((int)xmlrpc_value_type(value),
                     is_path ? rows[i / 2].as_path : rows[i / 2].as_text, "row %zu", i / 2);
        answer = round_trip(value);
        back = bytes_of(&answer, &length);
        cr_expect_eq(length, strlen(text), "row %zu", i / 2);
        cr_expect_arr_eq(back, text, length, "row %zu", i / 2);
        free(back);
        rpc_release(&value);
        rpc_answer_fini(&answer);
        xmlrpc_env_clean(&env);
    }
}

/* U+1F4E6, as bytes. */
#define PARCEL "\xf0\x9f\x93\xa6"

RPC_TEST(a_string_of_any_characters_is_accepted)
{
    static const struct {
        const char *value, *expected;
    } rows[] = {
        {"<string>" PARCEL "</string>", PARCEL},
        {PARCEL, PARCEL},
        {"<string>&#128230;</string>", PARCEL},
        {"<string>&#x1F4E6;</string>", PARCEL},
        {"&#x1f4e6;", PARCEL},
        {"<string>a " PARCEL " &amp; &lt;b&gt; &quot;&apos;</string>", "a " PARCEL " & <b> \"'"},
        {"<string>&#228;&#8364;" PARCEL "\xc3\xa4</string>",
         "\xc3\xa4\xe2\x82\xac" PARCEL "\xc3\xa4"},
        {"<string>one\r\ntwo\rthree" PARCEL "</string>", "one\ntwo\nthree" PARCEL},
        {"<string >" PARCEL PARCEL "</string >", PARCEL PARCEL},
        {"<string>&#13;" PARCEL "</string>", "\r" PARCEL},
        {"<string>\xf4\x8f\xbf\xbd</string>", "\xf4\x8f\xbf\xbd"},
        {"<string>plain &#65;</string>", "plain A"},
        {"<base64>8J+Tpg==</base64>", PARCEL},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rpc_call call;
        struct rpc_args args;
        char *text = NULL;

        cr_assert_eq(parse_param(&call, rows[i].value), ERR_OK, "%s", rows[i].value);
        rpc_args_init(&args, call.params);
        cr_expect(rpc_args_text(&args, "a", true, &text), "%s: %s", rows[i].value, args.problem);
        cr_expect_str_eq(text, rows[i].expected, "%s", rows[i].value);
        free(text);
        rpc_call_fini(&call);
    }
}

RPC_TEST(an_answer_can_hold_any_characters)
{
    static const char structure[] =
        "<methodResponse><params><param><value><struct><member><name>a</name><value>" PARCEL
        "</value></member><member><name>b</name><value><string>b</string></value></member>"
        "</struct></value></param></params></methodResponse>";
    static const char fault[] =
        "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>7</int>"
        "</value></member><member><name>faultString</name><value><string>no &#128230; &lt;"
        "</string></value></member></struct></value></fault></methodResponse>";
    struct rpc_answer answer;

    cr_assert_eq(rpc_answer_parse(&answer, structure, strlen(structure)), ERR_OK);
    rpc_answer_fini(&answer);
    cr_assert_eq(rpc_answer_parse(&answer, fault, strlen(fault)), ERR_OK, "%s", answer.text);
    cr_assert_eq(answer.fault_code, 7);
    cr_assert_str_eq(answer.text, "no %F0%9F%93%A6 <");
    rpc_answer_fini(&answer);
}

RPC_TEST(invalid_characters_stay_refused)
{
    static const char *const values[] = {
        "<string>" PARCEL "&#0;</string>",
        "<string>" PARCEL "&#xD800;</string>",
        "<string>&#x110000;</string>",
        "<string>" PARCEL "&nbsp;</string>",
        "<string>" PARCEL "& </string>",
        "<string>" PARCEL "&#8;</string>",
        "<string>" PARCEL "</int>",
        "<int>" PARCEL "</int>",
        "<string>" PARCEL "<b/></string>",
        "<boolean>&#128230;</boolean>",
        "<string>" PARCEL "&#128230</string>",
        ("<string>" PARCEL),
    };
    struct rpc_call call;

    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        cr_expect_eq(parse_param(&call, values[i]), ERR_INVALID, "%s", values[i]);
}

RPC_TEST(a_document_that_is_not_xml_is_refused_with_the_reason)
{
#define CALL "<methodCall><methodName>m</methodName></methodCall>"
    static const struct {
        const char *bytes;
        size_t length; /* 0: up to the NUL */
        const char *part;
    } rows[] = {
        {"", 0, "empty"},
        {" \r\n\t ", 0, "empty"},
        {"\xef\xbb\xbf", 0, "empty"},
        {"{\"method\": \"status\"}", 0, "not XML"},
        {"method=status", 0, "not XML"},
        {"\x1f\x8b\x08\0\0", 5, "compressed (gzip)"},
        {"\x78\x9c\x01\x02", 4, "compressed (deflate)"},
        {"\x28\xb5\x2f\xfd\x24", 5, "compressed (zstd)"},
        {"BZh91AY", 0, "compressed (bzip2)"},
        {"\xff\xfe<\0m\0", 6, "UTF-16"},
        {"\xfe\xff\0<\0m", 6, "UTF-16"},
        {"<\0m\0", 4, "UTF-16"},
        {"\0\0\0<", 4, "UTF-32"},
        {"<m>\xe4</m>", 0, "not UTF-8 at byte 3"},
        {"<?xml version='1.0' encoding='ISO-8859-1'?>" CALL, 0, "another encoding"},
        {"<?xml version='1.0' encoding = \"utf-16\"?>" CALL, 0, "another encoding"},
        {"<?xml version='1.0' encoding='ISO-8859-1'?><m>\xe4</m>", 0, "another encoding"},
        {"<?xml version='1.0' encoding='UTF-8'?><m>\xe4</m>", 0, "not UTF-8 at byte 41"},
        {"<methodCall><methodName>" PARCEL "</methodName></methodCall>", 0, "U+FFFF"},
        {"<a><name>&#128230;</name></a>", 0, "U+FFFF"},
        {"<html><body>hello</body></html>", 0, "not an XML-RPC call"},
    };
    static const char *const good[] = {
        "\xef\xbb\xbf" CALL,
        "\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?>" CALL,
        "\r\n " CALL,
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n" CALL,
        "<?xml version='1.0' encoding='us-ascii'?>" CALL,
        CALL,
    };
    char problem[RPC_REASON_SIZE];
    struct rpc_call call;

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        refuse(rows[i].bytes, rows[i].length != 0 ? rows[i].length : strlen(rows[i].bytes),
               rows[i].part);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert_eq(rpc_call_parse(&call, good[i], strlen(good[i]), problem), ERR_OK, "%zu: %s", i,
                     problem);
        rpc_call_fini(&call);
    }
}

RPC_TEST(large_integers_are_written_as_i8)
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
        struct rpc_answer answer = round_trip(params);
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

RPC_TEST(faults_carry_code_and_message)
{
    struct rpc_answer answer;
    char *document;
    size_t length;

    cr_assert_eq(rpc_answer_write_fault(&document, &length, FAULT_FILE,
                                        "bad\x01 file <x> 5 % \xc3\xa4 \xf0\x9f\x93\xa6"),
                 ERR_OK);
    cr_assert_eq(rpc_answer_parse(&answer, document, length), ERR_OK);
    cr_assert_null(answer.value);
    cr_assert_eq(answer.fault_code, FAULT_FILE);
    cr_assert_str_eq(answer.text, "bad%01 file <x> 5 % \xc3\xa4 %F0%9F%93%A6");
    rpc_answer_fini(&answer);
    free(document);
}

RPC_TEST(an_invalid_answer_is_refused_with_the_reason)
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
    cr_assert_not_null(strstr(args.problem, "missing parameter 1, a"), "%s", args.problem);
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
