/* curl_multi's socket interface driven by the event loop: curl requests sockets to poll and a
 * timeout, the loop reports their events. Each connection keeps its easy handle, so that sockets
 * and buffers are reused. */
#include "gateway_client/http_pool.h"

#include "base/contract.h"
#include "base/log.h"
#include "base/text.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { ANSWER_LIMIT = 1 << 20, CONNECT_TIMEOUT_MS = 5000 };

struct connection {
    CURL *curl;
    void *cookie; /* NULL: free */
    char *document;
    char *answer; /* malloc */
    size_t length, capacity;
    bool is_too_long;
    char problem[CURL_ERROR_SIZE];
};

struct gateway_client_http_pool {
    struct loop *loop;
    CURLM *multi;
    struct curl_slist *headers;
    struct timer timeout; /* curl's */
    struct connection connections[GATEWAY_CLIENT_CONNECTIONS];
    unsigned busy;
    gateway_client_reply_fn *replied;
    void *ctx;
};

/* A socket of curl, polled by the loop. */
struct socket_watch {
    struct watch watch;
    struct gateway_client_http_pool *pool;
};

static size_t receive_body(char *bytes, size_t size, size_t count, void *ctx)
{
    struct connection *connection = ctx;
    size_t length = size * count;

    if (length > ANSWER_LIMIT - connection->length) {
        connection->is_too_long = true;
        return 0;
    }
    if (connection->length + length > connection->capacity) {
        size_t capacity = (connection->length + length) * 2;
        char *larger = realloc(connection->answer, capacity);

        if (larger == NULL)
            return 0;
        connection->answer = larger;
        connection->capacity = capacity;
    }
    memcpy(connection->answer + connection->length, bytes, length);
    connection->length += length;
    return length;
}

static void connection_release(struct gateway_client_http_pool *pool, struct connection *connection)
{
    curl_multi_remove_handle(pool->multi, connection->curl);
    free(connection->document);
    connection->document = NULL;
    connection->cookie = NULL;
    connection->length = 0;
    pool->busy--;
}

static const char *problem_of(const struct connection *connection, CURLcode code)
{
    if (connection->is_too_long)
        return "its response is too long";
    return connection->problem[0] != '\0' ? connection->problem : curl_easy_strerror(code);
}

/* `replied` can post again on this connection, which reuses its buffers: the response is moved out
 * of it before the callback. */
static void connection_finished(struct gateway_client_http_pool *pool,
                                struct connection *connection, CURLcode code)
{
    char *answer = connection->answer, problem[CURL_ERROR_SIZE + 32];
    void *cookie = connection->cookie;
    size_t capacity = connection->capacity;
    long status = 0;
    struct gateway_client_reply reply = {
        .body = answer, .length = connection->length, .problem = problem};

    curl_easy_getinfo(connection->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) {
        reply.outcome = code == CURLE_COULDNT_CONNECT ? GATEWAY_CLIENT_REPLY_UNREACHABLE
                                                      : GATEWAY_CLIENT_REPLY_NO_ANSWER;
        text_format(problem, sizeof problem, "%s", problem_of(connection, code));
    } else if (status != 200) {
        reply.outcome = GATEWAY_CLIENT_REPLY_NO_ANSWER;
        text_format(problem, sizeof problem, "HTTP status %ld", status);
    }
    connection->answer = NULL;
    connection->capacity = 0;
    connection_release(pool, connection);
    pool->replied(pool->ctx, cookie, &reply);
    if (connection->answer == NULL && answer != NULL) {
        connection->answer = answer;
        connection->capacity = capacity;
    } else {
        free(answer);
    }
}

static void complete_finished(struct gateway_client_http_pool *pool)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(pool->multi, &left)) != NULL) {
        char *connection = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;

        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &connection);
        connection_finished(pool, (struct connection *)(void *)connection, code);
    }
}

static void socket_ready(struct watch *w, uint32_t events)
{
    struct gateway_client_http_pool *pool = ((struct socket_watch *)w->ctx)->pool;
    int running, what = 0;

    if (events & EPOLLIN)
        what |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        what |= CURL_CSELECT_OUT;
    if (events & (EPOLLERR | EPOLLHUP))
        what |= CURL_CSELECT_ERR;
    curl_multi_socket_action(pool->multi, w->fd, what, &running);
    complete_finished(pool);
}

static void timeout_expired(struct timer *timer, void *ctx)
{
    struct gateway_client_http_pool *pool = ctx;
    int running;

    (void)timer;
    curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    complete_finished(pool);
}

static int set_timeout(CURLM *multi, long timeout_ms, void *ctx)
{
    struct gateway_client_http_pool *pool = ctx;

    (void)multi;
    if (timeout_ms < 0)
        loop_cancel_timer(pool->loop, &pool->timeout);
    else
        loop_set_timer(pool->loop, &pool->timeout, (uint64_t)timeout_ms);
    return 0;
}

static struct socket_watch *watch_new(struct gateway_client_http_pool *pool, curl_socket_t fd)
{
    struct socket_watch *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->pool = pool;
    s->watch = (struct watch){.fd = fd, .ready = socket_ready, .ctx = s};
    curl_multi_assign(pool->multi, fd, s);
    return s;
}

/* curl expects level-triggered events. Without memory the call times out and is retried. */
static int set_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *assigned)
{
    struct gateway_client_http_pool *pool = ctx;
    struct socket_watch *s = assigned;
    uint32_t events = POLLER_LEVEL;

    (void)easy;
    if (s != NULL)
        loop_remove(pool->loop, &s->watch);
    if (what == CURL_POLL_REMOVE) {
        free(s);
        curl_multi_assign(pool->multi, fd, NULL);
        return 0;
    }
    if (s == NULL && (s = watch_new(pool, fd)) == NULL)
        return 0;
    if (what & CURL_POLL_IN)
        events |= EPOLLIN;
    if (what & CURL_POLL_OUT)
        events |= EPOLLOUT;
    if (loop_add(pool->loop, &s->watch, events) != ERR_OK)
        log_error("gateway: cannot watch a connection");
    return 0;
}

static enum err connection_open(struct gateway_client_http_pool *pool,
                                struct connection *connection, uint64_t timeout_ms)
{
    connection->curl = curl_easy_init();
    if (connection->curl == NULL)
        return ERR_NO_MEMORY;
    curl_easy_setopt(connection->curl, CURLOPT_PRIVATE, (char *)connection);
    curl_easy_setopt(connection->curl, CURLOPT_ERRORBUFFER, connection->problem);
    curl_easy_setopt(connection->curl, CURLOPT_HTTPHEADER, pool->headers);
    curl_easy_setopt(connection->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(connection->curl, CURLOPT_PROXY, ""); /* ignore http_proxy */
    curl_easy_setopt(connection->curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(connection->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(connection->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(connection->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(connection->curl, CURLOPT_WRITEFUNCTION, receive_body);
    curl_easy_setopt(connection->curl, CURLOPT_WRITEDATA, connection);
    return ERR_OK;
}

/* "Expect: 100-continue" would cost a round trip, and Python's servers do not answer it. */
static struct curl_slist *make_headers(void)
{
    struct curl_slist *one = curl_slist_append(NULL, "Content-Type: text/xml");
    struct curl_slist *two = one == NULL ? NULL : curl_slist_append(one, "Expect:");

    if (two == NULL)
        curl_slist_free_all(one);
    return two;
}

enum err gateway_client_http_pool_open(struct gateway_client_http_pool **out, struct loop *loop,
                                       uint64_t timeout_ms, gateway_client_reply_fn *replied,
                                       void *ctx)
{
    struct gateway_client_http_pool *pool = calloc(1, sizeof *pool);
    enum err e = ERR_OK;

    if (pool == NULL)
        return ERR_NO_MEMORY;
    pool->loop = loop;
    pool->replied = replied;
    pool->ctx = ctx;
    pool->timeout = (struct timer){.fire = timeout_expired, .ctx = pool};
    curl_global_init(CURL_GLOBAL_NOTHING);
    pool->multi = curl_multi_init();
    pool->headers = make_headers();
    if (pool->multi == NULL || pool->headers == NULL)
        e = ERR_NO_MEMORY;
    for (unsigned i = 0; i < GATEWAY_CLIENT_CONNECTIONS && e == ERR_OK; i++)
        e = connection_open(pool, &pool->connections[i], timeout_ms);
    if (e != ERR_OK) {
        gateway_client_http_pool_close(&pool);
        return e;
    }
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, set_timeout);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, (long)GATEWAY_CLIENT_CONNECTIONS);
    *out = pool;
    return ERR_OK;
}

void gateway_client_http_pool_close(struct gateway_client_http_pool **pool)
{
    struct gateway_client_http_pool *h = *pool;

    if (h == NULL)
        return;
    CONTRACT(h->busy == 0);
    for (unsigned i = 0; i < GATEWAY_CLIENT_CONNECTIONS; i++) {
        curl_easy_cleanup(h->connections[i].curl);
        free(h->connections[i].answer);
    }
    curl_multi_cleanup(h->multi);
    curl_slist_free_all(h->headers);
    curl_global_cleanup();
    free(h);
    *pool = NULL;
}

static enum err connection_set_url(struct connection *connection, const char *url)
{
    bool is_unix = strncmp(url, "unix:", 5) == 0;
    CURLcode path =
        curl_easy_setopt(connection->curl, CURLOPT_UNIX_SOCKET_PATH, is_unix ? url + 5 : NULL);
    CURLcode address =
        curl_easy_setopt(connection->curl, CURLOPT_URL, is_unix ? "http://localhost/" : url);

    return path == CURLE_OK && address == CURLE_OK ? ERR_OK : ERR_NO_MEMORY;
}

enum err gateway_client_http_pool_set_url(struct gateway_client_http_pool *pool, const char *url)
{
    enum err e = ERR_OK;

    CONTRACT(pool->busy == 0);
    for (unsigned i = 0; i < GATEWAY_CLIENT_CONNECTIONS && e == ERR_OK; i++)
        e = connection_set_url(&pool->connections[i], url);
    return e;
}

bool gateway_client_http_pool_has_free(const struct gateway_client_http_pool *pool)
{
    return pool->busy < GATEWAY_CLIENT_CONNECTIONS;
}

bool gateway_client_http_pool_is_idle(const struct gateway_client_http_pool *pool)
{
    return pool->busy == 0;
}

enum err gateway_client_http_pool_post(struct gateway_client_http_pool *pool, char *document,
                                       size_t length, void *cookie)
{
    struct connection *connection = pool->connections;

    CONTRACT(gateway_client_http_pool_has_free(pool) && cookie != NULL);
    while (connection->cookie != NULL)
        connection++;
    connection->document = document;
    connection->cookie = cookie;
    connection->length = 0;
    connection->is_too_long = false;
    connection->problem[0] = '\0';
    pool->busy++;
    curl_easy_setopt(connection->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
    curl_easy_setopt(connection->curl, CURLOPT_POSTFIELDS, document);
    if (curl_multi_add_handle(pool->multi, connection->curl) == CURLM_OK)
        return ERR_OK;
    connection_release(pool, connection);
    return ERR_NO_MEMORY;
}

void gateway_client_http_pool_cancel(struct gateway_client_http_pool *pool, const void *cookie)
{
    for (unsigned i = 0; i < GATEWAY_CLIENT_CONNECTIONS; i++)
        if (pool->connections[i].cookie == cookie)
            connection_release(pool, &pool->connections[i]);
}

void gateway_client_http_pool_cancel_all(struct gateway_client_http_pool *pool)
{
    for (unsigned i = 0; i < GATEWAY_CLIENT_CONNECTIONS; i++)
        if (pool->connections[i].cookie != NULL)
            connection_release(pool, &pool->connections[i]);
}
