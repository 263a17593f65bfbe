#include "gateway/contact.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

Test(contact, reads_and_prints_both_forms, .timeout = 5)
{
    static const char *const cases[][2] = {
        {"tcp://host:7771", "tcp://host:7771"},
        {"host:1", "tcp://host:1"},
        {"UDP://10.0.0.1:65535", "udp://10.0.0.1:65535"},
        {"tcp://[::1]:7771", "tcp://[::1]:7771"},
        {"[fd00::2]:5", "tcp://[fd00::2]:5"},
        {"my-node_1.example.org:80", "tcp://my-node_1.example.org:80"},
    };
    char text[CONTACT_TEXT_SIZE];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct contact contact;

        cr_assert_eq(contact_parse(&contact, cases[i][0]), ERR_OK, "%s", cases[i][0]);
        cr_assert_str_eq(contact_text(text, &contact), cases[i][1]);
    }
}

Test(contact, rejects_invalid_contacts_and_writes_nothing, .timeout = 5)
{
    static const char *const cases[] = {
        "",
        "host",
        ":7771",
        "host:",
        "host:0",
        "host:65536",
        "host:077",
        "://host:1",
        "tcp:/host:1",
        "tcp//host:1",
        "tcp://",
        "tcp://host",
        "9p://host:1",
        "a-very-long-protocol://host:1",
        "t cp://host:1",
        "tcp://ho st:1",
        "tcp://user@host:1",
        "tcp://host:1/",
        "tcp://host/a:1",
        "tcp://::1:7771",
        "tcp://[::1:7771",
        "tcp://[host]:7771",
        "tcp://[1.2.3.4]:7771",
        "tcp://[]:7771",
        "tcp://udp://host:1",
        "tcp://-host:1",
        "tcp://h\xc3\xb6st:1",
        "tcp://ho\nst:1",
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct contact contact = {.port = 9};

        cr_assert_eq(contact_parse(&contact, cases[i]), ERR_INVALID, "%s", cases[i]);
        cr_assert_eq(contact.port, 9);
        cr_assert_eq(contact.host[0], '\0');
    }
}

Test(contact, accepts_the_longest_host_and_no_longer_one, .timeout = 5)
{
    char text[ADDRESS_HOST_SIZE + 16], again[CONTACT_TEXT_SIZE], wanted[CONTACT_TEXT_SIZE];
    struct contact contact;

    memset(text, 'a', ADDRESS_HOST_SIZE);
    snprintf(text + ADDRESS_HOST_SIZE - 1, 16, ":65535");
    cr_assert_eq(contact_parse(&contact, text), ERR_OK);
    snprintf(wanted, sizeof wanted, "tcp://%s", text);
    cr_assert_str_eq(contact_text(again, &contact), wanted);
    memset(text, 'a', ADDRESS_HOST_SIZE);
    snprintf(text + ADDRESS_HOST_SIZE, 16, ":65535");
    cr_assert_eq(contact_parse(&contact, text), ERR_INVALID);
}

Test(contact, has_a_hint_for_host_names_that_are_not_ascii, .timeout = 5)
{
    static const struct {
        const char *text;
        bool is_name;
    } rows[] = {
        {"\xf0\x9f\x92\xa9.example", true}, /* an emoji */
        {"b\xc3\xbc"
         "cher.example:7771",
         true}, /* an umlaut */
        {"tcp://b\xc3\xbc"
         "cher.example:1",
         true},
        {"BU\xcc\x88"
         "CHER.example:1",
         true},                                                       /* a combining diaeresis */
        {"\xd0\xbf\xd1\x80\xd0\xb8\xd0\xbc\xd0\xb5\xd1\x80:1", true}, /* Cyrillic */
        {"\xe4\xbe\x8b\xe5\xad\x90.example:1", true},                 /* Chinese */
        {"\xd7\x93\xd7\x95.example:1", true},                         /* Hebrew */
        {"node\xe3\x80\x82"
         "example:1",
         true},                               /* an ideographic full stop */
        {"\xef\xbc\x91.2.3.4:1", true},       /* a full-width digit */
        {"node\xe2\x80\x8b.example:1", true}, /* a zero-width space */
        {"fa\xc3\x9f.example:0", true},
        {"b\xfc"
         "cher.example:1",
         true}, /* Latin-1 */
        {"b^c:1", false},
        {"", false},
        {"host:", false},
        {"host:0", false},
        {"::1:7771", false},
        {"tcp://user@host:1", false},
        {"http//what", false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *advice = contact_advice(rows[i].text, strlen(rows[i].text));
        struct contact contact;

        cr_expect_neq(contact_parse(&contact, rows[i].text), ERR_OK, "%s", rows[i].text);
        cr_expect_eq(advice != NULL, rows[i].is_name, "%s", rows[i].text);
    }
    cr_expect_null(contact_advice("host:\xc3\xbc", 5), "what is behind it is not looked at");
}
