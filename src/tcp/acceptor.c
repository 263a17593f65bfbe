#include "tcp/acceptor.h"

#include "base/accept_error.h"
#include "base/contract.h"
#include "base/log.h"
#include "base/metrics.h"
#include "loop/loop.h"
#include "peers/access.h"
#include "peers/source_table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SOCKETS_MAX = SETTINGS_LISTEN_MAX + 2,
    /* Then messages are handled: a flood of connections must not delay a stop. */
    ACCEPTS_PER_TURN = 512,
};

struct tcp_acceptor {
    struct tcp_acceptor_config config;
    struct settings settings;
    struct loop *loop;
    unsigned count;
    struct watch sockets[SOCKETS_MAX];
    struct timer pause; /* resumes all sockets when it fires */
    struct accept_error_log error_log;
};

static void close_sockets(struct tcp_acceptor *a)
{
    loop_cancel_timer(a->loop, &a->pause);
    for (unsigned i = 0; i < a->count; i++) {
        loop_remove(a->loop, &a->sockets[i]);
        close(a->sockets[i].fd);
    }
    a->count = 0;
}

static void refuse(int fd, const struct address *peer, enum metric metric, const char *why)
{
    char text[ADDRESS_TEXT_SIZE];

    metrics_add(METRIC_SESSIONS_REFUSED, 1);
    metrics_add(metric, 1);
    log_life(LOG_LEVEL_INFO, 0, address_text(text, peer), "connection refused: reason=\"%s\"", why);
    close(fd);
}

/* Out of memory: the session ends at its handshake timeout instead. */
static void post_eviction(struct tcp_acceptor *a, const struct tcp_place *evicted)
{
    struct tcp_evict *message = evicted->session == 0 ? NULL : calloc(1, sizeof *message);

    if (message == NULL)
        return;
    message->session = evicted->session;
    tcp_worker_post_evict(a->config.workers[evicted->worker], message);
}

/* False: refused, and closed. */
static bool admit(struct tcp_acceptor *a, int fd, const struct address *peer,
                  struct tcp_place *place)
{
    const struct settings *s = &a->settings;
    struct peers_source_limits limits = peers_source_table_limits_of(s, peer);
    const char *why = peers_access_refusal(s, peer);
    struct tcp_place evicted;
    enum peers_admission admission;

    if (why != NULL) {
        refuse(fd, peer, METRIC_REFUSED_ACCESS, why);
        return false;
    }
    admission = tcp_directory_accept(a->config.directory, peer, &limits, loop_now_ms(a->loop),
                                     place, &evicted);
    post_eviction(a, &evicted);
    if (admission != ADMITTED)
        refuse(fd, peer, peers_source_table_metric(admission), peers_source_table_text(admission));
    return admission == ADMITTED;
}

static void dispatch(struct tcp_acceptor *a, int fd, const struct address *peer)
{
    struct tcp_accepted *accepted;
    struct tcp_place place;

    if (!admit(a, fd, peer, &place))
        return;
    accepted = calloc(1, sizeof *accepted);
    if (accepted != NULL) {
        *accepted = (struct tcp_accepted){.fd = fd, .session = place.session, .peer = *peer};
        if (tcp_worker_post_accepted(a->config.workers[place.worker], accepted) == ERR_OK)
            return;
        free(accepted);
    }
    tcp_directory_leave(a->config.directory, place.session);
    refuse(fd, peer, METRIC_REFUSED_LIMIT, "the worker's mailbox is full");
}

/* Out of descriptors or memory, or an unknown error. */
static void pause_accepting(struct tcp_acceptor *a)
{
    if (accept_error_is_new(&a->error_log, loop_now_ms(a->loop)))
        log_warning("cannot accept: %s; retrying every %d ms", strerror(errno),
                    ACCEPT_ERROR_PAUSE_MS);
    metrics_add(METRIC_ACCEPT_PAUSES, 1);
    loop_set_timer(a->loop, &a->pause, ACCEPT_ERROR_PAUSE_MS);
}

/* False: no connection is pending, or accepting is paused. */
static bool accept_one(struct tcp_acceptor *a, int listening)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    struct address peer;
    int fd = accept4(listening, (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd >= 0) {
        if (address_from_sockaddr(&peer, (const struct sockaddr *)&from) == ERR_OK)
            dispatch(a, fd, &peer);
        else
            close(fd);
        return true;
    }
    if (accept_error_is_transient(errno))
        return true;
    if (errno != EAGAIN)
        pause_accepting(a);
    return false;
}

static void socket_ready(struct watch *w, uint32_t events)
{
    struct tcp_acceptor *a = w->ctx;

    (void)events;
    for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++)
        if (!accept_one(a, w->fd))
            return;
    loop_set_timer(a->loop, &a->pause, 0);
}

static void pause_expired(struct timer *timer, void *ctx)
{
    struct tcp_acceptor *a = ctx;

    (void)timer;
    for (unsigned i = 0; i < a->count && !a->pause.is_set; i++)
        socket_ready(&a->sockets[i], EPOLLIN);
}

static void handle_listen(struct message *m, void *owner)
{
    struct tcp_acceptor *a = owner;
    struct tcp_listen *listen = (struct tcp_listen *)(void *)m;
    enum err e = ERR_OK;

    close_sockets(a);
    for (unsigned i = 0; i < listen->count; i++) {
        struct watch *w = &a->sockets[a->count];

        *w = (struct watch){.fd = listen->fds[i], .ready = socket_ready, .ctx = a};
        e = e == ERR_OK ? loop_add(a->loop, w, EPOLLIN) : e;
        if (e == ERR_OK)
            a->count++;
        else
            close(listen->fds[i]);
    }
    if (e != ERR_OK)
        close_sockets(a);
    request_answer(&listen->request, e);
}

void tcp_acceptor_post_listen(struct tcp_acceptor *acceptor, struct tcp_listen *listen)
{
    mailbox_answer(loop_mailbox(acceptor->loop), &listen->request.message, handle_listen);
}

static void handle_settings(struct message *m, void *owner)
{
    struct tcp_acceptor *a = owner;
    struct tcp_serve *serve = (struct tcp_serve *)(void *)m;

    a->settings = serve->settings;
    free(serve);
}

void tcp_acceptor_post_settings(struct tcp_acceptor *acceptor, struct tcp_serve *serve)
{
    mailbox_answer(loop_mailbox(acceptor->loop), &serve->message, handle_settings);
}

static void ended(void *owner)
{
    close_sockets(owner);
}

enum err tcp_acceptor_open(struct tcp_acceptor **out, const struct tcp_acceptor_config *config)
{
    struct tcp_acceptor *a = calloc(1, sizeof *a);
    enum err e;

    if (a == NULL)
        return ERR_NO_MEMORY;
    a->config = *config;
    a->settings = *config->settings;
    a->pause = (struct timer){.fire = pause_expired, .ctx = a};
    e = loop_open(
        &a->loop,
        &(struct loop_config){.name = "acceptor", .mailbox_limit = 16, .owner = a, .ended = ended});
    if (e != ERR_OK) {
        free(a);
        return e;
    }
    *out = a;
    return ERR_OK;
}

void tcp_acceptor_close(struct tcp_acceptor **acceptor)
{
    if (*acceptor == NULL)
        return;
    loop_close(&(*acceptor)->loop);
    free(*acceptor);
    *acceptor = NULL;
}

enum err tcp_acceptor_start(struct tcp_acceptor *acceptor)
{
    return loop_start(acceptor->loop);
}

void tcp_acceptor_stop(struct tcp_acceptor *acceptor)
{
    loop_stop(acceptor->loop);
}
