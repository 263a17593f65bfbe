/* The calls as XML-RPC documents. */
#ifndef GATEWAY_CLIENT_ENCODE_H
#define GATEWAY_CLIENT_ENCODE_H

#include "base/err.h"

#include <stddef.h>

struct gateway_client_delivery;

/* The present call as a document in malloc'ed memory. */
enum err gateway_client_encode_write(const struct gateway_client_delivery *job, char **out,
                                     size_t *length);

#endif
