/* What the sessions of one worker share. Owner: the worker. */
#ifndef TCP_CONTEXT_H
#define TCP_CONTEXT_H

#include "loop/loop.h"
#include "peers/bandwidth.h"
#include "settings/settings.h"
#include "tcp/directory.h"
#include "transfer/transfer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session_callbacks;

struct tcp_context {
    struct loop *loop;
    struct transfer_context transfer; /* for the files of all of them */
    unsigned worker;
    const struct session_callbacks *callbacks; /* from the sessions to the worker */
    void *callbacks_ctx;
    bool is_serving; /* accepts new sessions and sends */
    struct settings settings;
    struct tcp_directory *directory;
    struct peers_bandwidth bandwidth;
    uint8_t *scratch; /* buffer for one read, or one gathered write; unused between calls */
    size_t scratch_size;
};

#endif
