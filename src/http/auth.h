/* Who may ask at a TCP address: the token of the settings, as `Authorization: Bearer TOKEN`. */
#ifndef HTTP_AUTH_H
#define HTTP_AUTH_H

#include <stdbool.h>

/* True if `header` (the value of Authorization, or NULL) shows `token`. How long it takes tells
 * nothing of how much of a wrong one is right. */
bool http_auth_is_shown(const char *header, const char *token);

#endif
