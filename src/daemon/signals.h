/* SIGHUP, SIGTERM and SIGINT, read in main's loop. From before main is called until then they are
 * held, so that none ends us by its default action or is lost. Main thread. */
#ifndef DAEMON_SIGNALS_H
#define DAEMON_SIGNALS_H

#include "base/err.h"
#include "loop/loop.h"

#include <stdbool.h>

struct signals {
    struct watch watch;
    /* SIGHUP, and the first of SIGTERM and SIGINT. A second one of those ends the process at once.
     */
    void (*reload)(void *ctx);
    void (*stop)(void *ctx);
    void *ctx;
    bool is_stopping;
};

/* What comes before signals_open waits. First of all in main. */
void signals_hold(void);

/* `reload`, `stop` and `ctx` are set. */
enum err signals_open(struct signals *s, struct loop *loop);
/* A no-op if it was not opened. */
void signals_close(struct signals *s);

/* Nobody reads the signals while the rooms stop, and a disk that does not answer can hold that up:
 * from here on a signal ends the process by itself. */
void signals_let_end_us(void);

#endif
