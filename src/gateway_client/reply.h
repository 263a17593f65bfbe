/* The result of one POST to the gateway. */
#ifndef GATEWAY_CLIENT_REPLY_H
#define GATEWAY_CLIENT_REPLY_H

#include <stddef.h>

enum gateway_client_reply_outcome {
    GATEWAY_CLIENT_REPLY_ANSWERED,  /* HTTP 200 with a body */
    GATEWAY_CLIENT_REPLY_NO_ANSWER, /* timeout, connection closed, another HTTP status, too long */
    GATEWAY_CLIENT_REPLY_UNREACHABLE, /* the connect failed */
};

struct gateway_client_reply {
    enum gateway_client_reply_outcome outcome;
    const char *body; /* both strings are borrowed, valid during the callback */
    size_t length;
    const char *problem; /* the reason, unless ANSWERED */
};

#endif
