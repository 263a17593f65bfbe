#include "peers/access.h"

#include <criterion/criterion.h>
#include <string.h>

static struct settings s;

static void list(struct network_list *to, const char *network)
{
    cr_assert_eq(network_from_text(&to->networks[to->count++], network), ERR_OK);
}

static bool is_admitted(const char *ip)
{
    struct address a;

    cr_assert_eq(address_from_ip_text(&a, ip, 7771), ERR_OK);
    return peers_access_refusal(&s, &a) == NULL;
}

TestSuite(access, .timeout = 5);

Test(access, admits_every_peer_without_lists)
{
    cr_expect(is_admitted("192.0.2.1"));
    cr_expect(is_admitted("2001:db8::1"));
    cr_expect_null(peers_access_idurl_refusal(&s, NULL));
    cr_expect_null(peers_access_idurl_refusal(&s, "http://id.example/a.xml"));
}

Test(access, an_allow_list_admits_only_its_entries)
{
    list(&s.access.allow_networks, "192.0.2.0/24");
    cr_expect(is_admitted("192.0.2.255"));
    cr_expect(is_admitted("::ffff:192.0.2.7"), "a mapped address is the IPv4 one");
    cr_expect_not(is_admitted("192.0.3.0"));
    cr_expect_not(is_admitted("2001:db8::1"));
}

Test(access, deny_wins_over_allow)
{
    list(&s.access.allow_networks, "192.0.2.0/24");
    list(&s.access.deny_networks, "192.0.2.64/26");
    cr_expect(is_admitted("192.0.2.63"));
    cr_expect_not(is_admitted("192.0.2.64"));
    cr_expect_not(is_admitted("192.0.2.127"));
    cr_expect(is_admitted("192.0.2.128"));
}

Test(access, identities_are_compared_whole)
{
    strcpy(s.access.deny_idurls, "http://id.example/a.xml,http://id.example/b%20b.xml");
    cr_expect_not_null(peers_access_idurl_refusal(&s, "http://id.example/a.xml"));
    cr_expect_not_null(peers_access_idurl_refusal(&s, "http://id.example/b%2520b.xml"),
                       "as it is when escaped");
    cr_expect_null(peers_access_idurl_refusal(&s, "http://id.example/a.xm"));
    cr_expect_null(peers_access_idurl_refusal(&s, "http://id.example/a.xml,"));
    cr_expect_null(peers_access_idurl_refusal(&s, ""));
    cr_expect_null(peers_access_idurl_refusal(&s, NULL));
}

Test(access, a_peer_without_identity_is_refused_if_identities_are_listed)
{
    strcpy(s.access.allow_idurls, "http://id.example/a.xml");
    cr_expect_null(peers_access_idurl_refusal(&s, "http://id.example/a.xml"));
    cr_expect_not_null(peers_access_idurl_refusal(&s, "http://id.example/c.xml"));
    cr_expect_not_null(peers_access_idurl_refusal(&s, NULL));
    strcpy(s.access.deny_idurls, "http://id.example/a.xml");
    cr_expect_not_null(peers_access_idurl_refusal(&s, "http://id.example/a.xml"), "deny wins");
}
