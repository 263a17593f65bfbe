#include "peers/access.h"

#include <criterion/criterion.h>
#include <string.h>

static struct settings s;

static void list(struct network_list *to, const char *network)
{
    cr_assert_eq(network_from_text(&to->networks[to->count++], network), ERR_OK);
}

static bool may(const char *ip)
{
    struct address a;

    cr_assert_eq(address_from_ip_text(&a, ip, 7771), ERR_OK);
    return peers_access_refusal(&s, &a) == NULL;
}

TestSuite(access, .timeout = 5);

Test(access, lets_everybody_in_without_lists)
{
    cr_expect(may("192.0.2.1"));
    cr_expect(may("2001:db8::1"));
    cr_expect_null(peers_access_idurl_refusal(&s, NULL));
    cr_expect_null(peers_access_idurl_refusal(&s, "http://id.example/a.xml"));
}

Test(access, an_allow_list_lets_in_nobody_else)
{
    list(&s.access.allow_networks, "192.0.2.0/24");
    cr_expect(may("192.0.2.255"));
    cr_expect(may("::ffff:192.0.2.7"), "a mapped address is the IPv4 one");
    cr_expect_not(may("192.0.3.0"));
    cr_expect_not(may("2001:db8::1"));
}

Test(access, deny_wins_over_allow)
{
    list(&s.access.allow_networks, "192.0.2.0/24");
    list(&s.access.deny_networks, "192.0.2.64/26");
    cr_expect(may("192.0.2.63"));
    cr_expect_not(may("192.0.2.64"));
    cr_expect_not(may("192.0.2.127"));
    cr_expect(may("192.0.2.128"));
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

Test(access, where_identities_are_listed_one_without_is_refused)
{
    strcpy(s.access.allow_idurls, "http://id.example/a.xml");
    cr_expect_null(peers_access_idurl_refusal(&s, "http://id.example/a.xml"));
    cr_expect_not_null(peers_access_idurl_refusal(&s, "http://id.example/c.xml"));
    cr_expect_not_null(peers_access_idurl_refusal(&s, NULL));
    strcpy(s.access.deny_idurls, "http://id.example/a.xml");
    cr_expect_not_null(peers_access_idurl_refusal(&s, "http://id.example/a.xml"), "deny wins");
}
