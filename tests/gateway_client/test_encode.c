/* The calls as XML-RPC documents. */
#include "gateway_client/encode.h"
#include "gateway_client/sent.h"
#include "rpc/document.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* The document of `call` for `t`; static, until the next one. */
static const char *document(enum gateway_client_call call, const struct gateway_transfer *t)
{
    static char *text;
    struct gateway_client_delivery *delivery =
        gateway_client_delivery_of(GATEWAY_CLIENT_DELIVERY_END, t);
    size_t length = 0;

    free(text);
    text = NULL;
    cr_assert_not_null(delivery);
    delivery->call = call;
    cr_assert_eq(gateway_client_encode_write(delivery, &text, &length), ERR_OK);
    cr_assert_eq(strlen(text), length);
    gateway_client_delivery_free(&delivery);
    return text;
}

static void has(const char *text, const char *part)
{
    cr_assert_not_null(strstr(text, part), "no '%s' in %s", part, text);
}

Test(encode, unescapes_an_identity, .init = rpc_library_init, .fini = rpc_library_fini,
     .timeout = 5)
{
    has(document(GATEWAY_CLIENT_CALL_REGISTER_SENDING, &sent),
        "<string>http://host/%41.xml</string>");
}

Test(encode, replaces_an_invalid_identity_by_an_empty_string, .init = rpc_library_init,
     .fini = rpc_library_fini, .timeout = 5)
{
    struct gateway_transfer t = sent;
    const char *text;

    t.idurl = "http://host/%00%FF";
    text = document(GATEWAY_CLIENT_CALL_REGISTER_RECEIVING, &t);
    has(text, "<string></string>");
    cr_assert_null(strstr(text, "http://host"));
}

Test(encode, encodes_the_host_of_a_cancelled_send_as_base64, .init = rpc_library_init,
     .fini = rpc_library_fini, .timeout = 5)
{
    has(document(GATEWAY_CLIENT_CALL_CANCELLED_SENDING, &sent),
        "bm9kZS5leGFtcGxlOjc3NzE="); /* base64 */
    has(document(GATEWAY_CLIENT_CALL_CANCELLED_SENDING, &sent),
        "<string>connection failed</string>");
}

Test(encode, encodes_no_error_as_nil, .init = rpc_library_init, .fini = rpc_library_fini,
     .timeout = 5)
{
    struct gateway_transfer t = sent;

    t.status = GATEWAY_TRANSFER_FINISHED;
    t.error[0] = '\0';
    has(document(GATEWAY_CLIENT_CALL_FILE_RESULT, &t), "nil/>");
    has(document(GATEWAY_CLIENT_CALL_FILE_RESULT, &t), "<string>finished</string>");
    has(document(GATEWAY_CLIENT_CALL_FILE_RESULT, &t), "<i4>7</i4>");
    has(document(GATEWAY_CLIENT_CALL_UNREGISTER_SENDING, &t), "<i4>42</i4>");
}

Test(encode, encodes_an_invalid_path_as_base64_and_a_large_size_as_i8, .init = rpc_library_init,
     .fini = rpc_library_fini, .timeout = 5)
{
    struct gateway_transfer t = sent;

    t.filename = "/out/\xff";
    t.size_bytes = UINT64_C(5000000000);
    has(document(GATEWAY_CLIENT_CALL_REGISTER_SENDING, &t), "L291dC//");
    has(document(GATEWAY_CLIENT_CALL_REGISTER_SENDING, &t), "i8>5000000000</");
}
