/* Incoming files that were aborted: their ids while the sender may still send data for them, and
 * the limit of their rate. */
#include "tcp/session/aborted.h"

#include "tcp/session/core.h"

#include <stdlib.h>

enum {
    ABORT_TIMEOUT_MS = 1000,
    /* An aborted file costs the peer 25 bytes and this node a name, an unlink and a log line:
     * limited by a token bucket. */
    ABORTED_BURST = 1000,
    ABORTED_PER_S = 100,
};

/* Index in the list, or its count if not found. */
static unsigned find(const struct session_aborted *aborted, int32_t file_id)
{
    unsigned i = 0;

    while (i < aborted->count && aborted->ids[i] != file_id)
        i++;
    return i;
}

bool session_aborted_has(const struct session *c, int32_t file_id)
{
    return c->aborted != NULL && find(c->aborted, file_id) < c->aborted->count;
}

void session_aborted_remove(struct session *c, int32_t file_id)
{
    struct session_aborted *aborted = c->aborted;

    if (session_aborted_has(c, file_id))
        aborted->ids[find(aborted, file_id)] = aborted->ids[--aborted->count];
}

void session_aborted_add(struct session *c, int32_t file_id)
{
    if (session_aborted_has(c, file_id))
        return;
    if (c->aborted == NULL && (c->aborted = calloc(1, sizeof *c->aborted)) == NULL) {
        session_core_disconnect(c, err_text(ERR_NO_MEMORY));
        return;
    }
    if (c->aborted->count == SESSION_ABORTED_MAX)
        session_core_disconnect(c, "too many unconfirmed aborted files");
    else
        c->aborted->ids[c->aborted->count++] = file_id;
    c->aborted->last_ms = loop_now_ms(c->context->loop);
}

bool session_aborted_is_any(const struct session *c)
{
    return c->aborted != NULL && c->aborted->count > 0;
}

bool session_aborted_is_old(const struct session *c)
{
    return session_aborted_is_any(c) &&
           loop_now_ms(c->context->loop) - c->aborted->last_ms >= ABORT_TIMEOUT_MS;
}

void session_aborted_count(struct session *c)
{
    uint64_t seconds = (loop_now_ms(c->context->loop) - c->aborted_since_ms) / 1000;
    uint64_t expired = seconds * ABORTED_PER_S;

    c->aborted_since_ms += seconds * 1000;
    c->aborted_count = c->aborted_count > expired ? c->aborted_count - (unsigned)expired : 0;
    if (++c->aborted_count > ABORTED_BURST)
        session_core_disconnect(c, "too many aborted incoming files");
}
