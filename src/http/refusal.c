#include "http/refusal.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { TEXT_SIZE = 256 };

/* With `rest`, what would have been right stands between the two. */
static const struct {
    unsigned status;
    const char *text, *rest;
} rows[] = {
    [HTTP_REFUSAL_TOKEN] = {MHD_HTTP_UNAUTHORIZED,
                            "this needs a token: Authorization: Bearer TOKEN\n", NULL},
    [HTTP_REFUSAL_ORIGIN] = {MHD_HTTP_FORBIDDEN, "web pages are not answered here\n", NULL},
    [HTTP_REFUSAL_PATH] = {MHD_HTTP_NOT_FOUND, "there is only ", " here\n"},
    [HTTP_REFUSAL_METHOD] = {MHD_HTTP_METHOD_NOT_ALLOWED, "only ", " is answered here\n"},
    [HTTP_REFUSAL_TYPE] = {MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "the Content-Type has to be ", "\n"},
    [HTTP_REFUSAL_CHARSET] = {MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                              "the charset of the Content-Type has to be utf-8\n", NULL},
    [HTTP_REFUSAL_ENCODING] = {MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
                               "a body with a Content-Encoding (gzip, ...) is not taken: send it "
                               "as it is\n",
                               NULL},
    [HTTP_REFUSAL_EXPECTATION] = {MHD_HTTP_EXPECTATION_FAILED,
                                  "of Expect only 100-continue is known here\n", NULL},
    [HTTP_REFUSAL_LENGTH] = {MHD_HTTP_CONTENT_TOO_LARGE, "the request is longer than 1 MiB\n",
                             NULL},
    [HTTP_REFUSAL_AMBIGUOUS] = {MHD_HTTP_BAD_REQUEST,
                                "it is not clear where the request ends: give one Content-Length, "
                                "or chunks without one\n",
                                NULL},
    [HTTP_REFUSAL_BUSY] = {MHD_HTTP_SERVICE_UNAVAILABLE,
                           "too many large requests come in at once: try again when some are "
                           "through\n",
                           NULL},
    [HTTP_REFUSAL_STOPPING] = {MHD_HTTP_SERVICE_UNAVAILABLE, "the daemon is stopping\n", NULL},
    [HTTP_REFUSAL_MEMORY] = {MHD_HTTP_INTERNAL_SERVER_ERROR,
                             "the daemon has no memory for an answer\n", NULL},
};

enum MHD_Result http_refusal_queue(struct MHD_Connection *connection, enum http_refusal why,
                                   const char *right)
{
    bool has_rest = rows[why].rest != NULL;
    struct MHD_Response *response;
    enum MHD_Result result;
    char text[TEXT_SIZE];

    snprintf(text, sizeof text, "%s%s%s", rows[why].text, has_rest ? right : "",
             has_rest ? rows[why].rest : "");
    response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
    if (why == HTTP_REFUSAL_METHOD)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, right);
    if (why == HTTP_REFUSAL_TOKEN)
        MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    if (why == HTTP_REFUSAL_ENCODING)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ACCEPT_ENCODING, "identity");
    result = MHD_queue_response(connection, rows[why].status, response);
    MHD_destroy_response(response);
    return result;
}
