/* SIGHUP, SIGTERM and SIGINT, read in main's loop. They are blocked before main is called, so that
 * none is lost or terminates the process by its default action. Main thread. */
#ifndef DAEMON_SIGNALS_H
#define DAEMON_SIGNALS_H

#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>

struct signals {
    struct watch watch;
    /* SIGHUP; the first SIGTERM or SIGINT. A second SIGTERM or SIGINT exits immediately. */
    void (*reload)(void *ctx);
    void (*stop)(void *ctx);
    void *ctx;
    bool is_stopping;
};

/* Blocks them: they stay pending until signals_open. First call in main. */
void signals_block(void);

/* The caller has set `reload`, `stop` and `ctx`. */
enum err signals_open(struct signals *s, struct loop *loop);
/* A no-op if not open. */
void signals_close(struct signals *s);

/* From here on SIGTERM and SIGINT exit from their handler: main's loop does not read them while the
 * rooms stop, and a hung disk can delay that. */
void signals_exit_in_handler(void);

#endif
