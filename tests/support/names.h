#ifndef SUPPORT_NAMES_H
#define SUPPORT_NAMES_H

#include <stdbool.h>

/* Whether /etc/hosts has localhost, the only name that needs no name server. A minimal root file
 * system has no such file, and a look-up fails there, or waits for a name server. */
bool names_has_localhost(void);

#endif
