/* Arbitrary bytes as an XML-RPC request: an accepted one is read as every kind of argument. */
#include "rpc/document.h"

#include <stdint.h>
#include <stdlib.h>

#define MUST(holds) ((holds) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static bool is_ready;
    char problem[RPC_REASON_SIZE];
    struct rpc_call call;
    char *written;
    size_t size;

    if (!is_ready)
        rpc_library_init();
    is_ready = true;
    if (rpc_call_parse(&call, (const char *)bytes, length, problem) != ERR_OK)
        return 0;
    /* Encodes what was parsed, and parses it again. */
    if (rpc_call_write(&written, &size, call.method, call.params) == ERR_OK) {
        struct rpc_call again;

        if (rpc_call_parse(&again, written, size, problem) == ERR_OK)
            rpc_call_fini(&again);
        free(written);
    }
    rpc_call_fini(&call);
    return 0;
}
