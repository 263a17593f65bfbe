/* Contacts and URLs as people type them: looked at before anything is asked, so that a slip is a
 * wrong command line. */
#ifndef CLI_CONTACT_H
#define CLI_CONTACT_H

#include <stdbool.h>

/* The contact as the daemon takes it: where no port is given, the one that nodes have by default.
 * Of several with commas between them (`is_list`) each has to be well formed; the daemon takes the
 * first that it can use. malloc; NULL after a sentence on stderr. */
char *cli_contact_read(const char *text, bool is_list);

/* True for what is hardly the name of a file: a contact with its port or protocol, or an address.
 */
bool cli_contact_is_clear(const char *text);

/* http://HOST:PORT, perhaps with a slash behind it. False after a sentence on stderr. */
bool cli_url_check(const char *url);

#endif
