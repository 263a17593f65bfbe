/* A failed transfer of a file that was sent, with all members set. */
#ifndef GATEWAY_CLIENT_SENT_H
#define GATEWAY_CLIENT_SENT_H

#include "gateway/gateway_ops.h"

static struct gateway_transfer sent = {.proto = "tcp",
                                       .host = "192.0.2.1:7771",
                                       .asked_host = "node.example:7771",
                                       .idurl = "http://host/%2541.xml",
                                       .filename = "/out/file",
                                       .description = "note",
                                       .request_id = 7,
                                       .size_bytes = 1000,
                                       .done_bytes = 10,
                                       .is_sending = true,
                                       .status = GATEWAY_TRANSFER_FAILED,
                                       .error = "connection failed",
                                       .transfer_id = 42};

#endif
