#include "settings/settings.h"

#include "base/cpus.h"

enum { WORKERS_MAX = 256 };

bool network_list_contains(const struct network_list *list, const struct address *address)
{
    for (unsigned i = 0; i < list->count; i++)
        if (network_contains(&list->networks[i], address))
            return true;
    return false;
}

bool settings_has_transport(const struct settings *s)
{
    return s->tcp_transport.is_enabled && s->tcp_connections.is_enabled &&
           s->gateway_service.is_enabled;
}

bool settings_control_address(const struct settings *s, struct address *out)
{
    char host[ADDRESS_HOST_SIZE];
    uint16_t port;

    return s->control.listen[0] != '\0' &&
           address_split(s->control.listen, host, &port) == ERR_OK &&
           address_from_ip_text(out, host, port) == ERR_OK;
}

unsigned settings_worker_count(const struct settings *s)
{
    unsigned usable;

    if (s->workers.threads != 0)
        return s->workers.threads;
    usable = cpus_usable();
    return usable > WORKERS_MAX ? WORKERS_MAX : usable;
}
