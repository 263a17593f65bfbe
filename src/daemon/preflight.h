/* The checks of --check-config beyond the settings themselves: whether what they name exists on
 * this machine or can be created by the daemon. Creates and changes nothing. Main thread. */
#ifndef DAEMON_PREFLIGHT_H
#define DAEMON_PREFLIGHT_H

#include "settings/settings.h"

struct preflight {
    settings_problem_fn *problem; /* prevents the start, for any user of the daemon */
    settings_problem_fn *note;    /* prevents it for the calling user, or at the moment */
    void *ctx;
    unsigned problems; /* number reported */
};

void preflight_check(struct preflight *p, const struct settings_in_force *in_force);

#endif
