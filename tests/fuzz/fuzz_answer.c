/* Arbitrary bytes as a gateway's XML-RPC response. */
#include "rpc/document.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    static bool is_ready;
    struct rpc_answer answer;
    char *written;
    size_t size;

    if (!is_ready)
        rpc_library_init();
    is_ready = true;
    if (rpc_answer_parse(&answer, (const char *)bytes, length) == ERR_OK && answer.value != NULL &&
        rpc_answer_write(&written, &size, answer.value) == ERR_OK)
        free(written);
    rpc_answer_fini(&answer);
    return 0;
}
