/* Contacts and URLs as people type them: looked at before anything is asked, so that a slip is a
 * wrong command line. */
#ifndef TOOLS_CLI_CONTACT_H
#define TOOLS_CLI_CONTACT_H

#include <stdbool.h>

/* Of several with commas between them (`is_list`) each has to be well formed, as the daemon wants
 * it, which takes the first that it can use. False after a sentence on stderr. */
bool cli_contact_check(const char *text, bool is_list);

/* http://HOST:PORT, perhaps with a slash behind it. False after a sentence on stderr. */
bool cli_url_check(const char *url);

#endif
