/* Bearer token authorization (`Authorization: Bearer TOKEN`) of requests on a TCP address. */
#ifndef HTTP_AUTH_H
#define HTTP_AUTH_H

#include <stdbool.h>

/* True if `header` (the value of Authorization, or NULL) carries `token`. The time it takes does
 * not depend on how many bytes match. */
bool http_auth_is_valid(const char *header, const char *token);

#endif
