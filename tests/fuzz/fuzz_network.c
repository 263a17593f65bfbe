/* The lists of [access]. An accepted network must contain its base address, not contain it with the
 * last bit of the prefix changed, and be the same when formatted and parsed again. An identity must
 * match only if it is an item of the list. */
#include "base/address.h"
#include "base/text.h"
#include "peers/access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MUST(holds) ((holds) ? (void)0 : abort())

static void write_again(const struct network *network)
{
    char ip[ADDRESS_TEXT_SIZE], text[ADDRESS_TEXT_SIZE + 8];
    struct network again;

    if (network->base.scope != 0)
        return; /* formatted as a number, but parsed as the name of an interface */
    snprintf(text, sizeof text, "%s/%u", address_ip_text(ip, &network->base),
             (unsigned)network->prefix_bits);
    MUST(network_from_text(&again, text) == ERR_OK);
    MUST(address_is_equal(&again.base, &network->base));
    MUST(again.prefix_bits == network->prefix_bits);
}

static void try_network(const char *text)
{
    struct network network;
    struct address other;
    unsigned last;

    if (network_from_text(&network, text) != ERR_OK)
        return;
    MUST(network.prefix_bits <= (network.base.family == ADDRESS_V4 ? 32 : 128));
    MUST(network_contains(&network, &network.base));
    write_again(&network);
    if (network.prefix_bits == 0)
        return;
    other = network.base;
    last = network.prefix_bits - 1u;
    other.ip[last / 8] ^= (uint8_t)(0x80 >> last % 8);
    MUST(!network_contains(&network, &other));
}

/* The first line is the list, the rest is the identity. */
static void try_identities(const char *text)
{
    static struct settings s;
    const char *identity = strchr(text, '\n');
    size_t length = identity == NULL ? 0 : (size_t)(identity - text);

    if (identity == NULL || length >= sizeof s.access.deny_idurls)
        return;
    memcpy(s.access.deny_idurls, text, length);
    s.access.deny_idurls[length] = '\0';
    if (peers_access_idurl_refusal(&s, identity + 1) == NULL)
        return;
    MUST(identity[1] == '\0' || strlen(identity + 1) <= 3 * length);
    MUST(strchr(identity + 1, ',') == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char *text = text_dup(bytes, length);

    MUST(text != NULL);
    try_network(text);
    try_identities(text);
    free(text);
    return 0;
}
