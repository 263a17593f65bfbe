/* Arbitrary bytes into the hello parser: the parsed fields must be in the payload, in order, with
 * only the separators between; formatted with our writer and parsed again they must be the same. */
#include "base/text.h"
#include "wire/frame.h"

#include <stdlib.h>
#include <string.h>

#define MUST(holds) ((holds) ? (void)0 : abort())

/* The writer refuses what we never send (and cannot send a NUL); what it writes must parse to the
 * same. */
static void write_again(const struct hello *hello)
{
    char *host = text_dup(hello->host, hello->host_length);
    char *idurl = text_dup(hello->idurl, hello->idurl_length);
    struct buf frame = {0};
    struct hello again;

    MUST(host != NULL && idurl != NULL);
    if (strlen(host) == hello->host_length && strlen(idurl) == hello->idurl_length &&
        frame_add_hello(&frame, host, hello->port, idurl) == ERR_OK) {
        MUST(hello_parse(&again, buf_bytes(&frame) + FRAME_HEADER_SIZE,
                         buf_length(&frame) - FRAME_HEADER_SIZE) == ERR_OK);
        MUST(again.is_port_usable && again.port == hello->port);
        MUST(again.host_length == hello->host_length);
        MUST(memcmp(again.host, host, again.host_length) == 0);
        MUST(again.idurl_length == (idurl[0] == '\0' ? strlen("None") : strlen(idurl)));
    }
    buf_clear(&frame);
    free(idurl);
    free(host);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    struct hello hello;

    if (hello_parse(&hello, bytes, length) != ERR_OK)
        return 0;
    MUST(hello.host == bytes && hello.host[hello.host_length] == ':');
    MUST(hello.idurl > hello.host + hello.host_length && hello.idurl[-1] == ' ');
    MUST(hello.idurl + hello.idurl_length == bytes + length);
    MUST(memchr(hello.host, ' ', hello.host_length) == NULL);
    MUST(hello.is_port_usable == (hello.port != 0));
    write_again(&hello);
    return 0;
}
