#include "wire/frame.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* The parser gets a heap block of the exact size, so that the sanitizer detects reads beyond it. */
static uint8_t *block;

static void clean_up(void)
{
    free(block);
}

static enum err parse(struct hello *out, const char *payload, size_t length)
{
    free(block);
    block = malloc(length + (length == 0));
    cr_assert_not_null(block);
    memcpy(block, payload, length);
    return hello_parse(out, block, length);
}

struct accepted {
    const char *payload, *host, *idurl;
    uint16_t port; /* 0: not usable */
};

Test(hello, accepts_what_the_reference_accepts, .fini = clean_up, .timeout = 10)
{
    static const struct accepted table[] = {
        {"127.0.0.1:7771 http://x/a.xml", "127.0.0.1", "http://x/a.xml", 7771},
        {"127.0.0.1:7771 None", "127.0.0.1", "None", 7771},
        {":7771 id", "", "id", 7771},
        {"host:1 id", "host", "id", 1},
        {"host:65535 id", "host", "id", 65535},
        {"host:7771 ", "host", "", 7771},
        {":1 ", "", "", 1},
        {"h\xff\x01\t:5 \xfe\n:x", "h\xff\x01\t", "\xfe\n:x", 5},
        {"[x]:80 id", "[x]", "id", 80},
        /* an integer, but not a valid port */
        {"h:0 id", "h", "id", 0},
        {"h:-1 id", "h", "id", 0},
        {"h:-7771 id", "h", "id", 0},
        {"h:65536 id", "h", "id", 0},
        {"h:70000 id", "h", "id", 0},
        {"h:4294967297 id", "h", "id", 0},
        {"h:123456789012345678901234567890 id", "h", "id", 0},
        /* as Python's int() parses integers */
        {"h:+7771 id", "h", "id", 7771},
        {"h:007771 id", "h", "id", 7771},
        {"h:7_771 id", "h", "id", 7771},
        {"h:\t\n\v\f\r7771\t\n id", "h", "id", 7771},
        {"h:-0 id", "h", "id", 0},
        /* IPv6: only between dustwire nodes */
        {"[::1]:7771 id", "[::1]", "id", 7771},
        {"[2001:db8::ffff:1.2.3.4]:1 ", "[2001:db8::ffff:1.2.3.4]", "", 1},
        {"[::]:0 id", "[::]", "id", 0},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const struct accepted *t = &table[i];
        struct hello hello;

        cr_assert_eq(parse(&hello, t->payload, strlen(t->payload)), ERR_OK, "%s", t->payload);
        cr_assert_eq(hello.host_length, strlen(t->host), "%s", t->payload);
        cr_assert_eq(memcmp(hello.host, t->host, hello.host_length), 0, "%s", t->payload);
        cr_assert_eq(hello.idurl_length, strlen(t->idurl), "%s", t->payload);
        cr_assert_eq(memcmp(hello.idurl, t->idurl, hello.idurl_length), 0, "%s", t->payload);
        cr_assert_eq(hello.is_port_usable, t->port != 0, "%s", t->payload);
        cr_assert_eq(hello.port, t->port, "%s", t->payload);
    }
}

Test(hello, rejects_what_the_reference_rejects, .fini = clean_up, .timeout = 10)
{
    static const char *const table[] = {
        "",
        " ",
        "id",
        "h:1",
        "h:1id",
        "h 1",
        "h:1  id",
        " h:1 id",
        "h:1 id ",
        "h:1 i d",
        "h:1\tid",
        " h:1",
        "h: id",
        ": id",
        "h id:1",
        "h:x id",
        "h:1x id",
        "h:x1 id",
        "h:1.0 id",
        "h:0x10 id",
        "h:+ id",
        "h:- id",
        "h:+-1 id",
        "h:-+1 id",
        "h:_1 id",
        "h:1_ id",
        "h:1__1 id",
        "h:+_1 id",
        "h:1\t1 id",
        "h:\t id",
        "h:- 1 id",
        "h:1:2 id",
        "::1:7771 i",
        "1:2:3:4 id",
        "[::1] id",
        "[::1]7771 id",
        "[::1:7771 i",
        "::1]:7771 i",
        "[:::]:1 id",
        "[::1]:x id",
        "[::1%lo]:1 i",
        "[]::1 id",
        "[1:2]:1 id",
        "x[::1]:1 i",
        "[::1]::1 id",
        "h:\xc2\xb2 id",
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct hello hello;

        cr_assert_eq(parse(&hello, table[i], strlen(table[i])), ERR_PROTOCOL, "'%s'", table[i]);
    }
}

Test(hello, takes_bytes_of_zero_for_bytes, .fini = clean_up, .timeout = 10)
{
    struct hello hello;

    cr_assert_eq(parse(&hello, "a\0b:7 i\0d", 9), ERR_OK);
    cr_assert_eq(hello.host_length, 3u);
    cr_assert_eq(hello.idurl_length, 3u);
    cr_assert_eq(parse(&hello, "h:7\0 id", 7), ERR_PROTOCOL);
    cr_assert_eq(parse(&hello, "[::1\0]:7 id", 11), ERR_PROTOCOL);
    cr_assert_eq(hello_parse(&hello, NULL, 0), ERR_PROTOCOL);
}

Test(hello, takes_an_idurl_of_nearly_a_frame_and_a_port_of_nearly_a_frame, .fini = clean_up,
     .timeout = 10)
{
    static char payload[99997];
    struct hello hello;

    memset(payload, '9', sizeof payload);
    memcpy(payload, "h:80 ", 5);
    cr_assert_eq(parse(&hello, payload, sizeof payload), ERR_OK);
    cr_assert_eq(hello.idurl_length, sizeof payload - 5);
    memcpy(payload, "h:800", 5);
    payload[sizeof payload - 1] = ' ';
    cr_assert_eq(parse(&hello, payload, sizeof payload), ERR_OK);
    cr_assert_not(hello.is_port_usable);
}
