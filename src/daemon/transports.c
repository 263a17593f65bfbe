#include "daemon/transports.h"

#include "base/log.h"
#include "daemon/notify.h"
#include "tcp/transport.h"

static enum err tcp_open(void **self, const struct transports_config *config)
{
    struct tcp_transport *tcp = NULL;
    struct passed_sockets passed;
    enum err e;

    passed.count = notify_passed_sockets(&passed.first_fd);
    e = tcp_transport_open(
        &tcp, &(struct tcp_transport_config){.settings = config->settings,
                                             .gateway = config->gateway,
                                             .events = config->events,
                                             .inbox = config->inbox,
                                             .committer = config->committer,
                                             .passed = passed,
                                             .connection_done = config->connection_done,
                                             .connection_done_ctx = config->connection_done_ctx});
    *self = tcp;
    return e;
}

static enum err tcp_start(void *self)
{
    return tcp_transport_start(self);
}

static void tcp_stop(void *self)
{
    tcp_transport_stop(self);
}

static void tcp_close(void *self)
{
    struct tcp_transport *tcp = self;

    tcp_transport_close(&tcp);
}

static const struct {
    enum err (*open)(void **self, const struct transports_config *config);
    enum err (*start)(void *self);
    void (*stop)(void *self);
    void (*close)(void *self);
    struct transport_row row; /* `open` fills in its self */
} kinds[] = {
    {tcp_open,
     tcp_start,
     tcp_stop,
     tcp_close,
     {.ops = &tcp_transport_ops,
      .service = &tcp_transport_service,
      .preferences = tcp_transport_preferences}},
};
enum { KIND_COUNT = sizeof kinds / sizeof *kinds };
_Static_assert((int)KIND_COUNT <= (int)GATEWAY_TRANSPORTS_MAX, "every transport needs a row");

enum err transports_open(struct transports *t, const struct transports_config *config)
{
    enum err e = ERR_OK;

    for (unsigned i = 0; i < KIND_COUNT && e == ERR_OK; i++) {
        t->rows[i] = kinds[i].row;
        if ((e = kinds[i].open(&t->rows[i].self, config)) != ERR_OK)
            break;
        t->table = (struct transport_table){.rows = t->rows, .count = i + 1};
        e = gateway_add(config->gateway, &t->rows[i]);
    }
    return e;
}

enum err transports_start(struct transports *t)
{
    for (unsigned i = 0; i < t->table.count; i++) {
        enum err e = kinds[i].start(t->rows[i].self);

        if (e != ERR_OK) {
            log_error("cannot start the %s transport: %s", t->rows[i].ops->proto, err_text(e));
            return e;
        }
        t->is_running[i] = true;
    }
    return ERR_OK;
}

void transports_stop(struct transports *t)
{
    for (unsigned i = 0; i < t->table.count; i++)
        if (t->is_running[i])
            kinds[i].stop(t->rows[i].self);
}

void transports_close(struct transports *t)
{
    for (unsigned i = 0; i < t->table.count; i++)
        kinds[i].close(t->rows[i].self);
}
