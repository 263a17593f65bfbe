#include "http/refusal.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_SIZE = 256 };

/* If `suffix` is set, the expected value is written between the two. */
static const struct {
    unsigned status;
    const char *text, *suffix;
} rows[] = {
    [HTTP_REFUSAL_TOKEN] = {MHD_HTTP_UNAUTHORIZED,
                            "missing or invalid token: send Authorization: Bearer TOKEN\n", NULL},
    [HTTP_REFUSAL_ORIGIN] = {MHD_HTTP_FORBIDDEN,
                             "requests from web pages (with an Origin header) are not accepted\n",
                             NULL},
    [HTTP_REFUSAL_PATH] = {MHD_HTTP_NOT_FOUND, "unknown path: use one of ", "\n"},
    [HTTP_REFUSAL_METHOD] = {MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed: use ", "\n"},
    [HTTP_REFUSAL_TYPE] = {MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "unsupported Content-Type: use ", "\n"},
    [HTTP_REFUSAL_CHARSET] = {MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                              "unsupported charset in the Content-Type: use utf-8\n", NULL},
    [HTTP_REFUSAL_ENCODING] = {MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                               "unsupported Content-Encoding: send the body unencoded\n", NULL},
    [HTTP_REFUSAL_EXPECTATION] = {MHD_HTTP_EXPECTATION_FAILED,
                                  "unsupported Expect header: only 100-continue is supported\n",
                                  NULL},
    [HTTP_REFUSAL_LENGTH] = {MHD_HTTP_CONTENT_TOO_LARGE, "request body exceeds 1 MiB\n", NULL},
    [HTTP_REFUSAL_BODY] = {MHD_HTTP_CONTENT_TOO_LARGE,
                           "this path takes no request body: send the request without one\n", NULL},
    [HTTP_REFUSAL_AMBIGUOUS] = {MHD_HTTP_BAD_REQUEST,
                                "ambiguous request length: send one Content-Length, or chunked "
                                "encoding without one\n",
                                NULL},
    [HTTP_REFUSAL_BUSY] = {MHD_HTTP_SERVICE_UNAVAILABLE,
                           "too many large requests at once: retry later\n", NULL},
    [HTTP_REFUSAL_STOPPING] = {MHD_HTTP_SERVICE_UNAVAILABLE, "the daemon is stopping\n", NULL},
    [HTTP_REFUSAL_MEMORY] = {MHD_HTTP_INTERNAL_SERVER_ERROR, "the daemon is out of memory\n", NULL},
};

enum MHD_Result http_refusal_queue(struct MHD_Connection *connection, enum http_refusal why,
                                   const char *expected)
{
    bool has_suffix = rows[why].suffix != NULL;
    struct MHD_Response *response;
    enum MHD_Result result;
    char text[TEXT_SIZE];

    snprintf(text, sizeof text, "%s%s%s", rows[why].text, has_suffix ? expected : "",
             has_suffix ? rows[why].suffix : "");
    response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
    if (why == HTTP_REFUSAL_METHOD)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, expected);
    if (why == HTTP_REFUSAL_TOKEN)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (why == HTTP_REFUSAL_ENCODING)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ACCEPT_ENCODING, "identity");
    result = MHD_queue_response(connection, rows[why].status, response);
    MHD_destroy_response(response);
    return result;
}
