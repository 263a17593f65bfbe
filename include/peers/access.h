/* Access control: the allow and deny lists of [access]. Deny wins. A non-empty allow list admits
 * only its entries, so a peer without an identity is refused when allow-idurls is set. A peer's
 * identity is not verified; only the network lists cannot be bypassed by a false claim. Pure; any
 * thread. */
#ifndef PEERS_ACCESS_H
#define PEERS_ACCESS_H

#include "base/address.h"
#include "settings/settings.h"

#include <stdbool.h>

/* NULL: the peer is admitted; else the reason for the refusal. */
const char *peers_access_refusal(const struct settings *s, const struct address *peer);

/* The same for an identity, escaped; NULL: the peer gave none. */
const char *peers_access_idurl_refusal(const struct settings *s, const char *idurl);

/* True if only the limits of the whole node apply to the peer, not those for each source. */
bool peers_access_is_exempt(const struct settings *s, const struct address *peer);

#endif
