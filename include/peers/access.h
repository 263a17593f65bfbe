/* Who may have a session at all: the lists of [access]. Deny wins; an allow list that is not empty
 * lets in only what it names, so a peer without an identity is refused where identities are
 * listed. An identity is what the peer says of itself: the lists by network are the ones that
 * strangers cannot talk their way around. Pure; any thread. */
#ifndef PEERS_ACCESS_H
#define PEERS_ACCESS_H

#include "base/address.h"
#include "settings/settings.h"

#include <stdbool.h>

/* NULL: it may; else the sentence why not. */
const char *peers_access_refusal(const struct settings *s, const struct address *peer);

/* The same for an identity, escaped; NULL: the peer gave none. */
const char *peers_access_idurl_refusal(const struct settings *s, const char *idurl);

/* Held to the limits of the whole node only, not to those of a source. */
bool peers_access_is_exempt(const struct settings *s, const struct address *peer);

#endif
