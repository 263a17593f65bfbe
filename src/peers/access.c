#include "peers/access.h"

#include "base/text.h"

#include <string.h>

const char *peers_access_refusal(const struct settings *s, const struct address *peer)
{
    if (network_list_contains(&s->access.deny_networks, peer))
        return "the address is in [access] deny-networks";
    if (s->access.allow_networks.count > 0 &&
        !network_list_contains(&s->access.allow_networks, peer))
        return "the address is not in [access] allow-networks";
    return NULL;
}

/* `list` is comma separated, without spaces around the commas. Its items are escaped before the
 * comparison, because `idurl` is. */
static bool is_listed(const char *list, const char *idurl)
{
    char item[3 * SETTINGS_TEXT_SIZE];
    size_t length;

    for (; *list != '\0'; list += length + (list[length] == ',')) {
        length = strcspn(list, ",");
        text_escape(item, sizeof item, list, length, true);
        if (strcmp(item, idurl) == 0)
            return true;
    }
    return false;
}

const char *peers_access_idurl_refusal(const struct settings *s, const char *idurl)
{
    if (idurl != NULL && is_listed(s->access.deny_idurls, idurl))
        return "the identity is in [access] deny-idurls";
    if (s->access.allow_idurls[0] != '\0' &&
        (idurl == NULL || !is_listed(s->access.allow_idurls, idurl)))
        return "the identity is not in [access] allow-idurls";
    return NULL;
}

bool peers_access_is_exempt(const struct settings *s, const struct address *peer)
{
    return network_list_contains(&s->access.exempt_networks, peer);
}
