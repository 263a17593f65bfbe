/* Hello and wazap: what we announce, and what of the peer's announcement is accepted. */
#include "tcp/session/handshake.h"

#include "base/contract.h"
#include "base/log.h"
#include "base/text.h"
#include "tcp/session/core.h"
#include "tcp/session/limits.h"

#include <stdlib.h>
#include <string.h>

enum { REFERENCE_PORT = 7771 /* announced when not listening (docs/protocol.md, 2) */ };

static const char *own_idurl(const struct session *c)
{
    const char *idurl = c->context->settings.node.idurl;

    return idurl[0] == '\0' ? "None" : idurl;
}

/* IPv4 address or name only: BitDust cannot parse an IPv6 literal. Empty stands for the source
 * address of the connection. */
static const char *own_host(const struct session *c)
{
    const char *host = c->context->settings.node.host;

    if (!c->context->settings.tcp_transport.is_receiving_enabled)
        return "127.0.0.1";
    return strchr(host, ':') != NULL || c->peer.family == ADDRESS_V6 ? "" : host;
}

void session_handshake_send_hello(struct session *c)
{
    const struct settings *s = &c->context->settings;
    uint16_t port =
        s->tcp_transport.is_receiving_enabled ? s->tcp_connections.tcp_port : REFERENCE_PORT;

    session_core_queued(c, frame_add_hello(&c->writer.control, own_host(c), port, own_idurl(c)));
}

void session_handshake_send_wazap(struct session *c)
{
    c->activity_ms = loop_now_ms(c->context->loop);
    session_core_queued(c, frame_add_wazap(&c->writer.control, own_idurl(c)));
}

static char *escaped(const void *bytes, size_t length)
{
    char *text = malloc(3 * length + 1), *fitting;

    if (text == NULL)
        return NULL;
    /* A copy instead of realloc: shrinking in place would leave an unusably small free block. */
    fitting = text_dup(text, text_escape(text, 3 * length + 1, bytes, length, true));
    free(text);
    return fitting;
}

static void set_idurl(struct session *c, const void *bytes, size_t length)
{
    if (session_limits_is_anonymous(bytes, length))
        return;
    c->idurl = escaped(bytes, length);
    if (c->idurl == NULL)
        session_core_disconnect(c, err_text(ERR_NO_MEMORY));
}

static bool is_trusted(const struct session *c)
{
    return network_list_contains(&c->context->settings.sessions.trusted_announcers, &c->peer);
}

/* The address that a hello announces, if sends to it are allowed to use this session: numeric, the
 * session's source IP or from a trusted announcer, not our own, and not what BitDust announces for
 * "none" (docs/protocol.md, 2: routing by announced address). */
static bool announced_route(const struct session *c, const struct hello *hello, struct address *out)
{
    char host[ADDRESS_TEXT_SIZE];

    if (!hello->is_port_usable || hello->host_length >= sizeof host)
        return false;
    *out = c->peer;
    out->port = hello->port;
    if (hello->host_length > 0) {
        memcpy(host, hello->host, hello->host_length);
        host[hello->host_length] = '\0';
        if (strlen(host) != hello->host_length ||
            address_from_ip_text(out, host, hello->port) != ERR_OK)
            return false;
        if (!address_is_same_ip(out, &c->peer) && !is_trusted(c))
            return false;
        if (address_is_loopback(out) && !address_is_loopback(&c->peer))
            return false;
    }
    return !address_is_wildcard(out) && !tcp_directory_is_own(c->context->directory, out);
}

/* Saves the memory of an announced address that is the same as the route. */
static void drop_if_routed(struct session *c)
{
    char route[ADDRESS_TEXT_SIZE];

    if (c->announced == NULL || !session_core_is_routed(c) ||
        strcmp(c->announced, address_text(route, &c->route)) != 0)
        return;
    free(c->announced);
    c->announced = NULL;
}

const char *session_handshake_announced(const struct session *c, char room[ADDRESS_TEXT_SIZE])
{
    if (c->announced != NULL)
        return c->announced;
    return session_core_is_routed(c) ? address_text(room, &c->route) : "";
}

void session_handshake_read_hello(struct session *c, const struct frame_piece *piece)
{
    struct hello hello;
    struct address route;
    size_t address_length;

    CONTRACT(hello_parse(&hello, piece->bytes, piece->length) == ERR_OK);
    set_idurl(c, hello.idurl, hello.idurl_length);
    if (!hello.is_port_usable || !text_is_printable(hello.host, hello.host_length)) {
        session_core_log(LOG_LEVEL_DEBUG, c, "unusable announced address");
        return;
    }
    /* HOST:PORT is all before the space and the IDURL. */
    address_length = piece->length - hello.idurl_length - 1;
    c->announced = escaped(piece->bytes,
                           address_length < ADDRESS_HOST_SIZE ? address_length : ADDRESS_HOST_SIZE);
    if (announced_route(c, &hello, &route))
        c->route = route;
    drop_if_routed(c);
}

void session_handshake_read_wazap(struct session *c, const struct frame_piece *piece)
{
    set_idurl(c, piece->bytes, piece->length);
}
