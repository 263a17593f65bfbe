/* curl_multi's socket interface in our loop: curl says which sockets to watch and when to wake it,
 * we tell it what happened. Each connection is a line with an easy handle of its own, used again
 * and again, so that connections and buffers live on. */
#include "gateway_client/http_pool.h"

#include "base/contract.h"
#include "base/log.h"
#include "base/text.h"
#include "gateway_client/client.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

enum { ANSWER_LIMIT = 1 << 20, CONNECT_TIMEOUT_MS = 5000 };

struct line {
    CURL *curl;
    void *cookie; /* NULL: free */
    char *document;
    char *answer; /* malloc */
    size_t length, room;
    bool is_too_long;
    char problem[CURL_ERROR_SIZE];
};

struct gateway_client_http_pool {
    struct loop *loop;
    CURLM *multi;
    struct curl_slist *headers;
    struct timer timeout; /* curl's */
    struct line lines[GATEWAY_CLIENT_CONNECTIONS];
    unsigned busy;
    gateway_client_reply_fn *replied;
    void *ctx;
};

/* A socket of curl's that we watch. */
struct socket_watch {
    struct watch watch;
    struct gateway_client_http_pool *http;
};

static size_t take_answer(char *bytes, size_t size, size_t count, void *ctx)
{
    struct line *line = ctx;
    size_t length = size * count;

    if (length > ANSWER_LIMIT - line->length) {
        line->is_too_long = true;
        return 0;
    }
    if (line->length + length > line->room) {
        size_t room = (line->length + length) * 2;
        char *larger = realloc(line->answer, room);

        if (larger == NULL)
            return 0;
        line->answer = larger;
        line->room = room;
    }
    memcpy(line->answer + line->length, bytes, length);
    line->length += length;
    return length;
}

static void line_release(struct gateway_client_http_pool *http, struct line *line)
{
    curl_multi_remove_handle(http->multi, line->curl);
    free(line->document);
    line->document = NULL;
    line->cookie = NULL;
    line->length = 0;
    http->busy--;
}

static const char *problem_of(const struct line *line, CURLcode code)
{
    if (line->is_too_long)
        return "its answer is too long";
    return line->problem[0] != '\0' ? line->problem : curl_easy_strerror(code);
}

/* The buffers of a line are used again by the next post, which `replied` may make: what is handed
 * over is taken out of it first. */
static void line_finished(struct gateway_client_http_pool *http, struct line *line, CURLcode code)
{
    char *answer = line->answer, problem[CURL_ERROR_SIZE + 32];
    void *cookie = line->cookie;
    size_t room = line->room;
    long status = 0;
    struct gateway_client_reply reply = {
        .body = answer, .length = line->length, .problem = problem};

    curl_easy_getinfo(line->curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) {
        reply.outcome =
            code == CURLE_COULDNT_CONNECT ? GATEWAY_CLIENT_UNREACHABLE : GATEWAY_CLIENT_NO_ANSWER;
        text_format(problem, sizeof problem, "%s", problem_of(line, code));
    } else if (status != 200) {
        reply.outcome = GATEWAY_CLIENT_NO_ANSWER;
        text_format(problem, sizeof problem, "it answered with HTTP status %ld", status);
    }
    line->answer = NULL;
    line->room = 0;
    line_release(http, line);
    http->replied(http->ctx, cookie, &reply);
    if (line->answer == NULL && answer != NULL) {
        line->answer = answer;
        line->room = room;
    } else {
        free(answer);
    }
}

static void look_for_finished(struct gateway_client_http_pool *http)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
        char *line = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        CURLcode code = message->data.result;

        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &line);
        line_finished(http, (struct line *)(void *)line, code);
    }
}

static void socket_ready(struct watch *w, uint32_t events)
{
    struct gateway_client_http_pool *http = ((struct socket_watch *)w->ctx)->http;
    int running, what = 0;

    if (events & EPOLLIN)
        what |= CURL_CSELECT_IN;
    if (events & EPOLLOUT)
        what |= CURL_CSELECT_OUT;
    if (events & (EPOLLERR | EPOLLHUP))
        what |= CURL_CSELECT_ERR;
    curl_multi_socket_action(http->multi, w->fd, what, &running);
    look_for_finished(http);
}

static void timeout_is_over(struct timer *timer, void *ctx)
{
    struct gateway_client_http_pool *http = ctx;
    int running;

    (void)timer;
    curl_multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    look_for_finished(http);
}

static int set_timeout(CURLM *multi, long timeout_ms, void *ctx)
{
    struct gateway_client_http_pool *http = ctx;

    (void)multi;
    if (timeout_ms < 0)
        loop_cancel_timer(http->loop, &http->timeout);
    else
        loop_set_timer(http->loop, &http->timeout, (uint64_t)timeout_ms);
    return 0;
}

static struct socket_watch *watch_new(struct gateway_client_http_pool *http, curl_socket_t fd)
{
    struct socket_watch *s = calloc(1, sizeof *s);

    if (s == NULL)
        return NULL;
    s->http = http;
    s->watch = (struct watch){.fd = fd, .ready = socket_ready, .ctx = s};
    curl_multi_assign(http->multi, fd, s);
    return s;
}

/* curl counts on being told as long as a socket is ready: level-triggered. Without memory the call
 * runs into its time limit, and is made again. */
static int set_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *assigned)
{
    struct gateway_client_http_pool *http = ctx;
    struct socket_watch *s = assigned;
    uint32_t events = POLLER_LEVEL;

    (void)easy;
    if (s != NULL)
        loop_remove(http->loop, &s->watch);
    if (what == CURL_POLL_REMOVE) {
        free(s);
        curl_multi_assign(http->multi, fd, NULL);
        return 0;
    }
    if (s == NULL && (s = watch_new(http, fd)) == NULL)
        return 0;
    if (what & CURL_POLL_IN)
        events |= EPOLLIN;
    if (what & CURL_POLL_OUT)
        events |= EPOLLOUT;
    if (loop_add(http->loop, &s->watch, events) != ERR_OK)
        log_error("a connection to the gateway cannot be watched");
    return 0;
}

static enum err line_open(struct gateway_client_http_pool *http, struct line *line,
                          uint64_t timeout_ms)
{
    line->curl = curl_easy_init();
    if (line->curl == NULL)
        return ERR_NO_MEMORY;
    curl_easy_setopt(line->curl, CURLOPT_PRIVATE, (char *)line);
    curl_easy_setopt(line->curl, CURLOPT_ERRORBUFFER, line->problem);
    curl_easy_setopt(line->curl, CURLOPT_HTTPHEADER, http->headers);
    curl_easy_setopt(line->curl, CURLOPT_POST, 1L);
    curl_easy_setopt(line->curl, CURLOPT_PROXY, ""); /* whatever the environment says */
    curl_easy_setopt(line->curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(line->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(line->curl, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    curl_easy_setopt(line->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
    curl_easy_setopt(line->curl, CURLOPT_WRITEFUNCTION, take_answer);
    curl_easy_setopt(line->curl, CURLOPT_WRITEDATA, line);
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
    struct gateway_client_http_pool *http = calloc(1, sizeof *http);
    enum err e = ERR_OK;

    if (http == NULL)
        return ERR_NO_MEMORY;
    http->loop = loop;
    http->replied = replied;
    http->ctx = ctx;
    http->timeout = (struct timer){.fire = timeout_is_over, .ctx = http};
    curl_global_init(CURL_GLOBAL_NOTHING);
    http->multi = curl_multi_init();
    http->headers = make_headers();
    if (http->multi == NULL || http->headers == NULL)
        e = ERR_NO_MEMORY;
    for (unsigned i = 0; i < GATEWAY_CLIENT_CONNECTIONS && e == ERR_OK; i++)
        e = line_open(http, &http->lines[i], timeout_ms);
    if (e != ERR_OK) {
        gateway_client_http_pool_close(&http);
        return e;
    }
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, set_socket);
    curl_multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, set_timeout);
    curl_multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
    curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)GATEWAY_CLIENT_CONNECTIONS);
    *out = http;
    return ERR_OK;
}

void gateway_client_http_pool_close(struct gateway_client_http_pool **http)
{
    struct gateway_client_http_pool *h = *http;

    if (h == NULL)
        return;
    CONTRACT(h->busy == 0);
    for (unsigned i = 0; i < GATEWAY_CLIENT_CONNECTIONS; i++) {
        curl_easy_cleanup(h->lines[i].curl);
        free(h->lines[i].answer);
    }
    curl_multi_cleanup(h->multi);
    curl_slist_free_all(h->headers);
    curl_global_cleanup();
    free(h);
    *http = NULL;
}

static enum err line_aim(struct line *line, const char *url)
{
    bool is_unix = strncmp(url, "unix:", 5) == 0;
    CURLcode path =
        curl_easy_setopt(line->curl, CURLOPT_UNIX_SOCKET_PATH, is_unix ? url + 5 : NULL);
    CURLcode address =
        curl_easy_setopt(line->curl, CURLOPT_URL, is_unix ? "http://localhost/" : url);

    return path == CURLE_OK && address == CURLE_OK ? ERR_OK : ERR_NO_MEMORY;
}

enum err gateway_client_http_pool_aim(struct gateway_client_http_pool *http, const char *url)
{
    enum err e = ERR_OK;

    CONTRACT(http->busy == 0);
    for (unsigned i = 0; i < GATEWAY_CLIENT_CONNECTIONS && e == ERR_OK; i++)
        e = line_aim(&http->lines[i], url);
    return e;
}

bool gateway_client_http_pool_has_room(const struct gateway_client_http_pool *http)
{
    return http->busy < GATEWAY_CLIENT_CONNECTIONS;
}

bool gateway_client_http_pool_is_idle(const struct gateway_client_http_pool *http)
{
    return http->busy == 0;
}

enum err gateway_client_http_pool_post(struct gateway_client_http_pool *http, char *document,
                                       size_t length, void *cookie)
{
    struct line *line = http->lines;

    CONTRACT(gateway_client_http_pool_has_room(http) && cookie != NULL);
    while (line->cookie != NULL)
        line++;
    line->document = document;
    line->cookie = cookie;
    line->length = 0;
    line->is_too_long = false;
    line->problem[0] = '\0';
    http->busy++;
    curl_easy_setopt(line->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
    curl_easy_setopt(line->curl, CURLOPT_POSTFIELDS, document);
    if (curl_multi_add_handle(http->multi, line->curl) == CURLM_OK)
        return ERR_OK;
    line_release(http, line);
    return ERR_NO_MEMORY;
}

void gateway_client_http_pool_cancel(struct gateway_client_http_pool *http, const void *cookie)
{
    for (unsigned i = 0; i < GATEWAY_CLIENT_CONNECTIONS; i++)
        if (http->lines[i].cookie == cookie)
            line_release(http, &http->lines[i]);
}

void gateway_client_http_pool_cancel_all(struct gateway_client_http_pool *http)
{
    for (unsigned i = 0; i < GATEWAY_CLIENT_CONNECTIONS; i++)
        if (http->lines[i].cookie != NULL)
            line_release(http, &http->lines[i]);
}
