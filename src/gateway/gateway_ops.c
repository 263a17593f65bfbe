#include "gateway/gateway_ops.h"

const char *transfer_status_word(enum transfer_status status)
{
    return status == TRANSFER_FINISHED ? "finished" : "failed";
}
