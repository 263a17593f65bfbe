/* What the sessions of one worker share. The worker's. */
#ifndef TCP_HOME_H
#define TCP_HOME_H

#include "loop/loop.h"
#include "peers/bandwidth.h"
#include "settings/settings.h"
#include "tcp/directory.h"
#include "transfer/transfer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session_news;

struct tcp_home {
    struct loop *loop;
    struct transfer_context transfer; /* for the files of all of them */
    unsigned worker;
    const struct session_news *news; /* what the sessions tell, and to whom */
    void *news_to;
    bool is_serving; /* takes new sessions and sends */
    struct settings settings;
    struct tcp_directory *directory;
    struct peers_bandwidth bandwidth;
    uint8_t *scratch; /* room for one turn of reading, or of writing; nothing stays in it */
    size_t scratch_size;
};

#endif
