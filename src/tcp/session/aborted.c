/* Incoming files that came to nothing: their ids, while the sender may still go on with them, and
 * how many there may be. */
#include "tcp/session/aborted.h"

#include "tcp/session/core.h"

#include <stdlib.h>

enum {
    PATIENCE_MS = 1000,
    /* A file that comes to nothing costs the peer 25 bytes and us a name, an unlink and a log line:
     * so many at once, and so many more a second. */
    GIVEN_UP_MAX = 1000,
    GIVEN_UP_PER_S = 100,
};

/* Where in the list; its count if it is not there. */
static unsigned find(const struct session_aborted *dropped, int32_t file_id)
{
    unsigned i = 0;

    while (i < dropped->count && dropped->ids[i] != file_id)
        i++;
    return i;
}

bool session_aborted_has(const struct session *c, int32_t file_id)
{
    return c->dropped != NULL && find(c->dropped, file_id) < c->dropped->count;
}

void session_aborted_remove(struct session *c, int32_t file_id)
{
    struct session_aborted *dropped = c->dropped;

    if (session_aborted_has(c, file_id))
        dropped->ids[find(dropped, file_id)] = dropped->ids[--dropped->count];
}

void session_aborted_add(struct session *c, int32_t file_id)
{
    if (session_aborted_has(c, file_id))
        return;
    if (c->dropped == NULL && (c->dropped = calloc(1, sizeof *c->dropped)) == NULL) {
        session_core_disconnect(c, err_text(ERR_NO_MEMORY));
        return;
    }
    if (c->dropped->count == SESSION_ABORTED_MAX)
        session_core_disconnect(c, "too many files given up on this session");
    else
        c->dropped->ids[c->dropped->count++] = file_id;
    c->dropped->last_ms = loop_now_ms(c->home->loop);
}

bool session_aborted_is_any(const struct session *c)
{
    return c->dropped != NULL && c->dropped->count > 0;
}

bool session_aborted_is_old(const struct session *c)
{
    return session_aborted_is_any(c) &&
           loop_now_ms(c->home->loop) - c->dropped->last_ms >= PATIENCE_MS;
}

void session_aborted_count(struct session *c)
{
    uint64_t seconds = (loop_now_ms(c->home->loop) - c->given_up_since_ms) / 1000;
    uint64_t forgiven = seconds * GIVEN_UP_PER_S;

    c->given_up_since_ms += seconds * 1000;
    c->given_up_count = c->given_up_count > forgiven ? c->given_up_count - (unsigned)forgiven : 0;
    if (++c->given_up_count > GIVEN_UP_MAX)
        session_core_disconnect(c, "too many files came to nothing");
}
