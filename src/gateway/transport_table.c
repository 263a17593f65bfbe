#include "gateway/transport_table.h"

#include <string.h>

static bool is_gateway_enabled(const struct settings *s)
{
    return s->gateway_service.is_enabled;
}

const struct service gateway_service = {
    .name = "gateway", .section = "services/gateway", .is_enabled = is_gateway_enabled};

const struct transport_row *transport_table_find(const struct transport_table *table,
                                                 const char *proto)
{
    for (unsigned i = 0; i < table->count; i++)
        if (strcmp(table->rows[i].ops->proto, proto) == 0)
            return &table->rows[i];
    return NULL;
}
