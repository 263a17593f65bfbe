/* What came back for one POST to the gateway. */
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
    const char *body; /* the receiver of the reply borrows both strings for the call */
    size_t length;
    const char *problem; /* a sentence, if it was not answered */
};

#endif
