/* What --check-config can say beyond the settings themselves: whether this machine has, or would
 * let the daemon make, what they name. Nothing is made or changed. Main thread. */
#ifndef DAEMON_PREFLIGHT_H
#define DAEMON_PREFLIGHT_H

#include "settings/settings.h"

struct preflight {
    settings_problem_fn *problem; /* the daemon could not start so, whoever its user is */
    settings_problem_fn *note;    /* it could not as the user that asks, or at this moment */
    void *ctx;
    unsigned problems; /* counted */
};

void preflight_check(struct preflight *p, const struct settings_in_force *in_force);

#endif
