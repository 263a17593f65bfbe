/* Contacts and URLs from the command line: checked before any call, so that a typing error is a
 * usage error. */
#ifndef CLI_CONTACT_H
#define CLI_CONTACT_H

#include <stdbool.h>

/* Returns the contact in the daemon's form, with the default port if none is given (malloc); NULL
 * after an error on stderr. With `is_list` each of several comma-separated contacts must be valid;
 * the daemon uses the first with a known protocol. */
char *cli_contact_read(const char *text, bool is_list);

/* True for text that is unlikely to be a file name: a contact with a port or protocol, or an IP
 * address. */
bool cli_contact_is_explicit(const char *text);

/* Checks for http://HOST:PORT, with an optional trailing slash. False after an error on stderr. */
bool cli_url_check(const char *url);

#endif
