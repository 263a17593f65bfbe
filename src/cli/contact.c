#include "cli/contact.h"

#include "gateway/contact.h"
#include "settings/settings.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_SIZE = 8 };

static bool parse(struct contact *out, const char *text, size_t length)
{
    char copy[CONTACT_TEXT_SIZE];

    if (length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    return contact_parse(out, copy) == ERR_OK;
}

/* Appends the default port if there is none; false if the result is not a valid contact. */
static bool add_default_port(char out[CONTACT_TEXT_SIZE + PORT_SIZE], const char *text,
                             size_t length)
{
    struct settings defaults;
    struct contact ignored;

    if (length >= CONTACT_TEXT_SIZE)
        return false;
    snprintf(out, CONTACT_TEXT_SIZE + PORT_SIZE, "%.*s", (int)length, text);
    if (parse(&ignored, text, length))
        return true;
    settings_default(&defaults);
    snprintf(out + length, PORT_SIZE, ":%u", (unsigned)defaults.tcp_connections.tcp_port);
    return length > 0 && text[length - 1] != ':' && parse(&ignored, out, strlen(out));
}

/* [fe80::1%eth0]: true if the scope after '%' is not an interface of this host. */
static bool has_unknown_scope(char scope[IF_NAMESIZE], const char *text, size_t length)
{
    const char *percent = memchr(text, '%', length), *end = memchr(text, ']', length);

    if (text[0] != '[' || percent == NULL || end == NULL || end < percent ||
        end - percent > IF_NAMESIZE)
        return false;
    snprintf(scope, IF_NAMESIZE, "%.*s", (int)(end - percent - 1), percent + 1);
    return scope[0] != '\0' && scope[strspn(scope, "0123456789")] != '\0' &&
           if_nametoindex(scope) == 0;
}

static void report_invalid(const char *text, size_t length)
{
    const char *advice = contact_advice(text, length);
    char scope[IF_NAMESIZE];

    if (advice == NULL && has_unknown_scope(scope, text, length))
        fprintf(
            stderr,
            "dustwire: invalid contact '%.*s': no network interface '%s' on this host; 'ip link' "
            "lists them\n",
            (int)length, text, scope);
    else
        fprintf(stderr, "dustwire: invalid contact '%.*s': %s\n", (int)length, text,
                advice != NULL ? advice
                               : "expected [PROTO://]HOST[:PORT], an IPv6 address in brackets, a "
                                 "port from 1 to 65535");
}

char *cli_contact_read(const char *text, bool is_list)
{
    const char *separators = is_list ? ", \t\r\n" : "";
    char one[CONTACT_TEXT_SIZE + PORT_SIZE], *all = NULL;
    size_t length, size = 0;
    FILE *out = open_memstream(&all, &size);
    bool is_ok = out != NULL;

    text += strspn(text, separators);
    for (bool is_first = true; is_ok && (is_first || *text != '\0'); is_first = false) {
        length = strcspn(text, separators);
        is_ok = add_default_port(one, text, length);
        if (!is_ok)
            report_invalid(text, length);
        else
            fprintf(out, "%s%s", is_first ? "" : ",", one);
        text += length;
        text += strspn(text, separators);
    }
    if (out != NULL)
        fclose(out);
    if (is_ok && all != NULL)
        return all;
    free(all);
    return NULL;
}

bool cli_contact_is_explicit(const char *text)
{
    struct contact contact;
    struct address ignored;
    char host[ADDRESS_HOST_SIZE];
    size_t length = strcspn(text, ",");

    if (parse(&contact, text, length))
        return true;
    if (length >= sizeof host)
        return false;
    snprintf(host, sizeof host, "%.*s", (int)length, text);
    return address_from_ip_text(&ignored, host, 0) == ERR_OK;
}

bool cli_url_check(const char *url)
{
    size_t length = strlen(url);
    struct contact contact;
    const char *advice;

    if (length > 0 && url[length - 1] == '/')
        length--;
    if (parse(&contact, url, length) && strcmp(contact.proto, "http") == 0 &&
        strncmp(url + 4, "://", 3) == 0)
        return true;
    if ((advice = contact_advice(url, length)) != NULL) {
        fprintf(stderr, "dustwire: invalid value '%s' for --url: %s\n", url, advice);
        return false;
    }
    fprintf(
        stderr,
        "dustwire: invalid value '%s' for --url: expected http://HOST:PORT, the daemon's [control] "
        "listen; for its Unix socket use --socket PATH\n",
        url);
    return false;
}
