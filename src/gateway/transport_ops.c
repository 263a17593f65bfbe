#include "gateway/transport_ops.h"

#include <stdlib.h>

void gateway_send_request_free(struct send_request **r)
{
    if (*r == NULL)
        return;
    free((*r)->remote_idurl);
    free((*r)->filename);
    free((*r)->description);
    free((*r)->asked_host);
    free(*r);
    *r = NULL;
}

void gateway_list_request_fini(struct list_request *r)
{
    free(r->sessions);
    free(r->streams);
    r->sessions = NULL;
    r->streams = NULL;
    r->count = 0;
    r->capacity = 0;
}
