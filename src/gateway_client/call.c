#include "gateway_client/call.h"

#include "base/contract.h"

const char *gateway_client_call_method(enum gateway_client_call call)
{
    static const char *const methods[] = {
#define X(name, method) [name] = (method),
        GATEWAY_CLIENT_CALL_LIST(X)
#undef X
    };

    CONTRACT(call < GATEWAY_CLIENT_CALL_NONE);
    return methods[call];
}
