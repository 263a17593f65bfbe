/* One POST to the gateway and its answer. Belongs to the gate thread. */
#ifndef GATEWAY_CLIENT_HTTP_POOL_H
#define GATEWAY_CLIENT_HTTP_POOL_H

#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gate_http;

enum gate_outcome {
    GATE_ANSWERED,    /* HTTP 200 with a body */
    GATE_NO_ANSWER,   /* late, hung up, or what is no answer: `problem` says which */
    GATE_UNREACHABLE, /* nobody listens there */
};
struct gate_reply {
    enum gate_outcome outcome;
    const char *body;
    size_t length;
    const char *problem; /* a sentence, if it was not answered */
};
/* Not called for a post that was cancelled. May post again. */
typedef void gate_reply_fn(void *ctx, void *cookie, const struct gate_reply *reply);

enum err gate_http_open(struct gate_http **out, struct loop *loop, uint64_t timeout_ms,
                        gate_reply_fn *replied, void *ctx);
void gate_http_close(struct gate_http **http);
/* After gate_http_cancel_all: where the posts go from now on. */
enum err gate_http_aim(struct gate_http *http, const char *url);
bool gate_http_has_room(const struct gate_http *http);
bool gate_http_is_idle(const struct gate_http *http);
/* Takes over `document` (malloc) in any case. Only while there is room. */
enum err gate_http_post(struct gate_http *http, char *document, size_t length, void *cookie);
void gate_http_cancel(struct gate_http *http, const void *cookie);
void gate_http_cancel_all(struct gate_http *http);

#endif
