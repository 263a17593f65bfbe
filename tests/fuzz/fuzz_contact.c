/* Arbitrary bytes as a contact: an accepted one, formatted and parsed again, must be the same. */
#include "gateway/contact.h"

#include <stdlib.h>
#include <string.h>

#define MUST(holds) ((holds) ? (void)0 : abort())

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
    char text[4096], written[CONTACT_TEXT_SIZE];
    struct contact contact, again;

    if (length >= sizeof text)
        return 0;
    memcpy(text, bytes, length);
    text[length] = '\0';
    if (contact_parse(&contact, text) != ERR_OK)
        return 0;
    contact_text(written, &contact);
    MUST(contact_parse(&again, written) == ERR_OK);
    MUST(strcmp(again.proto, contact.proto) == 0 && strcmp(again.host, contact.host) == 0);
    MUST(again.port == contact.port);
    return 0;
}
