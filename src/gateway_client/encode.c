/* The callbacks as XML-RPC calls, with the argument order and types of docs/gateway.md: identities
 * as strings, '' if unknown or not valid text; the host of cancelled_file_sending as base64 of the
 * exact bytes passed to send_file; nil for no error. */
#include "gateway_client/encode.h"

#include "base/text.h"
#include "gateway_client/delivery.h"
#include "rpc/document.h"

#include <stdlib.h>
#include <string.h>

static void add(xmlrpc_env *env, xmlrpc_value *params, xmlrpc_value *value)
{
    rpc_add(env, params, value);
}

static void add_text(xmlrpc_env *env, xmlrpc_value *params, const char *text)
{
    add(env, params, rpc_text(env, text == NULL ? "" : text));
}

static void add_idurl(xmlrpc_env *env, xmlrpc_value *params, const char *escaped)
{
    size_t size = strlen(escaped) + 1, length = 0;
    char *idurl = malloc(size);
    bool is_clean = idurl != NULL && text_unescape(idurl, size, &length, escaped) == ERR_OK &&
                    rpc_validate_text(idurl, length);

    add_text(env, params, is_clean ? idurl : "");
    free(idurl);
}

static void add_error(xmlrpc_env *env, xmlrpc_value *params, const char *error)
{
    if (error == NULL || error[0] == '\0')
        add(env, params, rpc_nil(env));
    else
        add_text(env, params, error);
}

/* A string, or base64 if it is not valid text. */
static void add_bytes(xmlrpc_env *env, xmlrpc_value *params, const char *bytes)
{
    add(env, params, rpc_path(env, bytes == NULL ? "" : bytes));
}

typedef void params_fn(xmlrpc_env *env, xmlrpc_value *params,
                       const struct gateway_client_delivery *d);

static void transport_initialized(xmlrpc_env *env, xmlrpc_value *params,
                                  const struct gateway_client_delivery *d)
{
    add_text(env, params, d->text[GATEWAY_CLIENT_TEXT_PROTO]);
}

static void receiving_started(xmlrpc_env *env, xmlrpc_value *params,
                              const struct gateway_client_delivery *d)
{
    xmlrpc_value *options = rpc_struct(env);

    rpc_put_text(env, options, "host", d->text[GATEWAY_CLIENT_TEXT_HOST]);
    add_text(env, params, d->text[GATEWAY_CLIENT_TEXT_PROTO]);
    add_text(env, params, d->text[GATEWAY_CLIENT_TEXT_HOST]);
    add(env, params, options);
}

static void notice_with_error(xmlrpc_env *env, xmlrpc_value *params,
                              const struct gateway_client_delivery *d)
{
    add_text(env, params, d->text[GATEWAY_CLIENT_TEXT_PROTO]);
    add_error(env, params, d->text[GATEWAY_CLIENT_TEXT_ERROR]);
}

static void register_file(xmlrpc_env *env, xmlrpc_value *params,
                          const struct gateway_client_delivery *d)
{
    add_text(env, params, d->text[GATEWAY_CLIENT_TEXT_PROTO]);
    add_text(env, params, d->text[GATEWAY_CLIENT_TEXT_HOST]);
    add_idurl(env, params, d->text[GATEWAY_CLIENT_TEXT_IDURL]);
    add_bytes(env, params, d->text[GATEWAY_CLIENT_TEXT_FILENAME]);
    add(env, params, rpc_integer(env, (int64_t)d->size_bytes));
    if (d->is_sending)
        add_bytes(env, params, d->text[GATEWAY_CLIENT_TEXT_DESCRIPTION]);
}

static void add_outcome(xmlrpc_env *env, xmlrpc_value *params,
                        const struct gateway_client_delivery *d, uint64_t id)
{
    add(env, params, rpc_integer(env, (int64_t)id));
    add_text(env, params, gateway_transfer_status_word(d->status));
    add(env, params, rpc_integer(env, (int64_t)d->done_bytes));
    add_error(env, params, d->text[GATEWAY_CLIENT_TEXT_ERROR]);
}

static void unregister_file(xmlrpc_env *env, xmlrpc_value *params,
                            const struct gateway_client_delivery *d)
{
    add_outcome(env, params, d, d->transfer_id);
}

static void cancelled_file_sending(xmlrpc_env *env, xmlrpc_value *params,
                                   const struct gateway_client_delivery *d)
{
    const char *asked = d->text[GATEWAY_CLIENT_TEXT_ASKED_HOST];
    const char *host = asked == NULL ? d->text[GATEWAY_CLIENT_TEXT_HOST] : asked;

    add_text(env, params, d->text[GATEWAY_CLIENT_TEXT_PROTO]);
    add(env, params, rpc_bytes(env, host, strlen(host)));
    add_bytes(env, params, d->text[GATEWAY_CLIENT_TEXT_FILENAME]);
    add(env, params, rpc_integer(env, (int64_t)d->size_bytes));
    add_bytes(env, params, d->text[GATEWAY_CLIENT_TEXT_DESCRIPTION]);
    add_error(env, params, d->text[GATEWAY_CLIENT_TEXT_ERROR]);
}

static void file_result(xmlrpc_env *env, xmlrpc_value *params,
                        const struct gateway_client_delivery *d)
{
    add_outcome(env, params, d, d->request_id);
}

static params_fn *const params_of[GATEWAY_CLIENT_CALL_NONE] = {
    [GATEWAY_CLIENT_CALL_TRANSPORT_INITIALIZED] = transport_initialized,
    [GATEWAY_CLIENT_CALL_RECEIVING_STARTED] = receiving_started,
    [GATEWAY_CLIENT_CALL_RECEIVING_FAILED] = notice_with_error,
    [GATEWAY_CLIENT_CALL_DISCONNECTED] = notice_with_error,
    [GATEWAY_CLIENT_CALL_REGISTER_SENDING] = register_file,
    [GATEWAY_CLIENT_CALL_REGISTER_RECEIVING] = register_file,
    [GATEWAY_CLIENT_CALL_UNREGISTER_SENDING] = unregister_file,
    [GATEWAY_CLIENT_CALL_UNREGISTER_RECEIVING] = unregister_file,
    [GATEWAY_CLIENT_CALL_CANCELLED_SENDING] = cancelled_file_sending,
    [GATEWAY_CLIENT_CALL_FILE_RESULT] = file_result,
};

enum err gateway_client_encode_write(const struct gateway_client_delivery *d, char **out,
                                     size_t *length)
{
    enum err e = ERR_NO_MEMORY;
    xmlrpc_value *params;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    params = rpc_array(&env);
    params_of[d->call](&env, params, d);
    if (!env.fault_occurred)
        e = rpc_call_write(out, length, gateway_client_call_method(d->call), params);
    rpc_release(&params);
    xmlrpc_env_clean(&env);
    return e;
}
