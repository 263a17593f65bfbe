#ifndef SUPPORT_NAMES_H
#define SUPPORT_NAMES_H

#include <stdbool.h>

/* Whether /etc/hosts has localhost, the one name that needs no name server. A bare root has no such
 * file, and there a look-up fails, or waits for a name server that is not there. */
bool names_has_localhost(void);

#endif
