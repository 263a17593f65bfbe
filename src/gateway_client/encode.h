/* The calls as XML-RPC documents. */
#ifndef GATEWAY_CLIENT_ENCODE_H
#define GATEWAY_CLIENT_ENCODE_H

#include "base/err.h"
#include "gateway_client/delivery.h"

#include <stddef.h>

/* Encodes the delivery's current call; `*out` is malloc'ed. */
enum err gateway_client_encode_write(const struct gateway_client_delivery *delivery, char **out,
                                     size_t *length);

#endif
