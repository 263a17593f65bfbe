/* Reasons to refuse a request before its handler is called, and the responses to them. */
#ifndef HTTP_REFUSAL_H
#define HTTP_REFUSAL_H

#include <microhttpd.h>

enum http_refusal {
    HTTP_REFUSAL_NONE,
    HTTP_REFUSAL_TOKEN,
    HTTP_REFUSAL_ORIGIN,
    HTTP_REFUSAL_PATH,
    HTTP_REFUSAL_METHOD,
    HTTP_REFUSAL_TYPE,
    HTTP_REFUSAL_CHARSET,
    HTTP_REFUSAL_ENCODING,
    HTTP_REFUSAL_EXPECTATION,
    HTTP_REFUSAL_LENGTH,
    HTTP_REFUSAL_BODY,
    HTTP_REFUSAL_AMBIGUOUS,
    HTTP_REFUSAL_BUSY,
    HTTP_REFUSAL_STOPPING,
    HTTP_REFUSAL_MEMORY,
};

/* `expected` lists the valid paths, methods or type for a refusal of one of these; else unused. */
enum MHD_Result http_refusal_queue(struct MHD_Connection *connection, enum http_refusal why,
                                   const char *expected);

#endif
