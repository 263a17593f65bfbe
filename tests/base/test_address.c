#include "base/address.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <string.h>

static struct address from(const char *ip, uint16_t port)
{
    struct address a;

    cr_assert_eq(address_from_ip_text(&a, ip, port), ERR_OK, "%s", ip);
    return a;
}

Test(address, prints_what_it_read, .timeout = 5)
{
    static const char *const table[][3] = {
        {"1.2.3.4", "1.2.3.4", "1.2.3.4:7771"},
        {"255.255.255.255", "255.255.255.255", "255.255.255.255:7771"},
        {"::1", "::1", "[::1]:7771"},
        {"[::1]", "::1", "[::1]:7771"},
        {"2001:DB8:0:0::1", "2001:db8::1", "[2001:db8::1]:7771"},
        {"::ffff:1.2.3.4", "1.2.3.4", "1.2.3.4:7771"},
        {"[::ffff:102:304]", "1.2.3.4", "1.2.3.4:7771"},
        {"fe80::1%1", "fe80::1%1", "[fe80::1%1]:7771"},
    };
    char text[ADDRESS_TEXT_SIZE];

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct address a = from(table[i][0], 7771);

        cr_assert_str_eq(address_ip_text(text, &a), table[i][1]);
        cr_assert_str_eq(address_text(text, &a), table[i][2]);
    }
    cr_assert_str_eq(address_text(text, &(struct address){0}), "-");
    cr_assert_str_eq(address_ip_text(text, &(struct address){0}), "-");
}

Test(address, prints_the_longest_address_completely, .timeout = 5)
{
    struct address a = from("ffff:eeee:dddd:cccc:bbbb:aaaa:9999:8888", 65535);
    char text[ADDRESS_TEXT_SIZE];

    a.scope = UINT32_MAX;
    cr_assert_str_eq(address_text(text, &a),
                     "[ffff:eeee:dddd:cccc:bbbb:aaaa:9999:8888%4294967295]:65535");
}

Test(address, rejects_names_and_incomplete_addresses, .timeout = 5)
{
    static const char *const bad[] = {
        "",
        "localhost",
        "1.2.3",
        "1.2.3.4.5",
        "1.2.3.4:5",
        "256.1.1.1",
        "[::1",
        "::1]",
        "[]",
        ":::",
        "1.2.3.4 ",
        "fe80::1%",
        "fe80::1%nosuchif",
        "::1/8",
        "01.2.3.4x",
        "g::1",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee:ffff:0000"};
    struct address a;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_eq(address_from_ip_text(&a, bad[i], 1), ERR_INVALID, "%s", bad[i]);
        cr_assert_eq(a.family, ADDRESS_NONE);
    }
}

Test(address, converts_to_sockaddr_and_back, .timeout = 5)
{
    static const char *const table[] = {"1.2.3.4", "::1", "fe80::1%1"};

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct address a = from(table[i], 7771), back;
        struct sockaddr_storage kernel;

        memset(&back, 0xee, sizeof back);
        cr_assert_gt(address_to_sockaddr(&a, &kernel), 0u);
        cr_assert_eq(address_from_sockaddr(&back, (struct sockaddr *)&kernel), ERR_OK);
        cr_assert_eq(memcmp(&a, &back, sizeof a), 0, "equal byte for byte");
    }
    struct sockaddr other = {.sa_family = AF_UNIX};
    struct address a;

    cr_assert_eq(address_from_sockaddr(&a, &other), ERR_INVALID);
}

Test(address, maps_ipv4_in_ipv6_to_ipv4, .timeout = 5)
{
    struct sockaddr_in6 mapped = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
    struct address a, plain = from("10.0.0.1", 80);

    memcpy(&mapped.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1", 16);
    cr_assert_eq(address_from_sockaddr(&a, (struct sockaddr *)&mapped), ERR_OK);
    cr_assert(address_is_equal(&a, &plain));
    cr_assert_eq(memcmp(&a, &plain, sizeof a), 0);
}

Test(address, compares_with_and_without_the_port, .timeout = 5)
{
    struct address a = from("1.2.3.4", 1), b = from("1.2.3.4", 2), c = from("1.2.3.5", 1);

    cr_assert_not(address_is_equal(&a, &b));
    cr_assert(address_is_same_ip(&a, &b));
    cr_assert_not(address_is_same_ip(&a, &c));
    cr_assert(address_is_equal(&a, &a));
}

Test(address, classifies_special_addresses, .timeout = 5)
{
    struct address v4 = from("127.9.9.9", 1), v6 = from("::1", 1), any = from("0.0.0.0", 1),
                   any6 = from("::", 1), none = {0}, far = from("192.0.2.1", 1);

    cr_assert(address_is_loopback(&v4) && address_is_loopback(&v6));
    cr_assert_not(address_is_loopback(&far) || address_is_loopback(&none));
    cr_assert(address_is_wildcard(&any) && address_is_wildcard(&any6));
    cr_assert_not(address_is_wildcard(&none) || address_is_wildcard(&v6));
    cr_assert(address_is_local(&v4));
    cr_assert_not(address_is_local(&far), "a documentation address");
    cr_assert_not(address_is_local(&none));
}

Test(address, splits_host_and_port, .timeout = 5)
{
    static const char *const good[][2] = {{"a:1", "a"},
                                          {"node.example.org:65535", "node.example.org"},
                                          {"1.2.3.4:7771", "1.2.3.4"},
                                          {"[::1]:7771", "::1"}};
    static const char *const bad[] = {"",     ":",       ":1",    "a",     "a:",    "a:0",
                                      "a:01", "a:65536", "a:-1",  "a:x",   "::1:5", "[::1]",
                                      "[]:1", "[::1:1",  "a b:1", "a\n:1", "a: 1",  "\xff:1"};
    char host[ADDRESS_HOST_SIZE], text[600];
    uint16_t port;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert_eq(address_split(good[i][0], host, &port), ERR_OK, "%s", good[i][0]);
        cr_assert_str_eq(host, good[i][1]);
        cr_assert_eq(port, atoi(strrchr(good[i][0], ':') + 1));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(address_split(bad[i], host, &port), ERR_INVALID, "'%s'", bad[i]);
    memset(text, 'h', sizeof text);
    strcpy(text + ADDRESS_HOST_SIZE - 1, ":80");
    cr_assert_eq(address_split(text, host, &port), ERR_OK);
    cr_assert_eq(strlen(host), (size_t)ADDRESS_HOST_SIZE - 1);
    text[ADDRESS_HOST_SIZE - 1] = 'h';
    strcpy(text + ADDRESS_HOST_SIZE, ":80");
    cr_assert_eq(address_split(text, host, &port), ERR_INVALID);
}

static bool is_in(const char *network_text, const char *ip)
{
    struct network n;
    struct address a = from(ip, 1);

    cr_assert_eq(network_from_text(&n, network_text), ERR_OK, "%s", network_text);
    return network_contains(&n, &a);
}

Test(network, contains_by_its_prefix, .timeout = 5)
{
    cr_assert(is_in("10.0.0.0/8", "10.255.0.1"));
    cr_assert_not(is_in("10.0.0.0/8", "11.0.0.1"));
    cr_assert(is_in("192.168.4.0/22", "192.168.7.255"));
    cr_assert_not(is_in("192.168.4.0/22", "192.168.8.0"));
    cr_assert(is_in("1.2.3.4", "1.2.3.4"));
    cr_assert_not(is_in("1.2.3.4", "1.2.3.5"));
    cr_assert(is_in("0.0.0.0/0", "8.8.8.8"));
    cr_assert_not(is_in("0.0.0.0/0", "::1"));
    cr_assert(is_in("fe80::/10", "febf::1"));
    cr_assert_not(is_in("fe80::/10", "fec0::1"));
    cr_assert(is_in("::1/128", "::1"));
    cr_assert_not(is_in("::1/128", "::2"));
    cr_assert(is_in("10.0.0.0/8", "::ffff:10.1.1.1"));
}

Test(network, rejects_invalid_networks, .timeout = 5)
{
    static const char *const bad[] = {
        "",        "/",           "/8",          "10.0.0.0/",    "10.0.0.0/33",
        "::/129",  "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8/8", "here/8",
        "10.0.0/8"};
    struct network n;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert_eq(network_from_text(&n, bad[i]), ERR_INVALID, "'%s'", bad[i]);
}
