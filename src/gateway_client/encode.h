/* The calls as XML-RPC documents. */
#ifndef GATEWAY_CLIENT_ENCODE_H
#define GATEWAY_CLIENT_ENCODE_H

#include "base/err.h"
#include "gateway_client/delivery.h"

#include <stddef.h>

/* The call that is due as a document in malloc'ed memory. */
enum err gateway_client_encode_write(const struct gateway_client_delivery *delivery, char **out,
                                     size_t *length);

#endif
