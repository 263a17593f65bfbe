#include "cli/client.h"

#include "base/inherit.h"
#include "cli/exit.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/timeout.h"
#include "rpc/document.h"
#include "rpc/json.h"

#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

enum {
    QUERY_LIMIT_MS = 10000,   /* without a byte, for read-only calls */
    CHANGE_LIMIT_MS = 180000, /* for changes, whose outcome is unknown after it */
    TOTAL_LIMIT_MS = 600000,
    REPORT_AFTER_MS = 10000,
    CONNECT_LIMIT_S = 86400, /* disables libcurl's limit, which counts time while stopped */
    TOKEN_MAX = 255,
    TARGET_MAX = 1024
};

/* Methods with the long timeout, and those of them that must not be repeated when the answer was
 * lost, because they would be executed twice. `received` scans the journal; `events` and
 * `send_wait` are long polls. */
static const struct {
    const char *method;
    bool is_not_repeatable;
} slow_methods[] = {
    {"send_file", true},
    {"send_file_single", true},
    {"send_spooled", true},
    {"send_spooled_single", true},
    {"spool_begin", true},
    {"spool_write", true},
    {"cancel_send", true},
    {"connect_to", true},
    {"disconnect_from", true},
    {"send_keep_alive", true},
    {"reload", true},
    {"reconnect", true},
    {"cancel_file_sending", true},
    {"settings_set", true},
    {"settings_unset", true},
    {"cancel_file_receiving", true},
    {"stop", true},
    {"received", false},
    {"events", false},
    {"send_wait", false},
};

static volatile sig_atomic_t interrupts;

struct cli_client {
    CURL *curl;
    struct curl_slist *headers;
    char where[512];    /* for messages: "the socket /run/..." or the URL */
    const char *socket; /* path, owned by the caller; NULL: a URL */
    bool is_url;
    bool is_stoppable;
    bool is_output_watched;
    bool is_wait_reported;
    uint64_t override_limit_ms; /* --timeout; 0: depends on the method */
    uint64_t limit_ms;          /* idle limit of this call */
    struct cli_timeout timeout;
    enum cli_exit stopped_by; /* CLI_OK: this call was not aborted by the command */
    bool is_resolved;         /* a socket was created, in this call or an earlier one */
    int socket_error;         /* errno of a failed socket() */
    char *answer;
    size_t length;
};

static void count_interrupt(int signal_number)
{
    if (++interrupts > 1)
        _exit(128 + signal_number);
}

/* Signals ignored at start stay ignored: a shell ignores SIGINT for `dustwire events &`. */
static void catch_one(int signal_number)
{
    struct sigaction action = {.sa_handler = count_interrupt};

    if (!inherit_is_ignored(signal_number))
        sigaction(signal_number, &action, NULL);
}

void cli_catch_interrupts(void)
{
    catch_one(SIGINT);
    catch_one(SIGTERM);
}

bool cli_is_interrupted(void)
{
    return interrupts > 0;
}

void cli_request_init(struct cli_request *request)
{
    *request = (struct cli_request){.wait_ms = 0};
    xmlrpc_env_init(&request->env);
    request->params = rpc_array(&request->env);
}

void cli_request_text(struct cli_request *request, const char *text)
{
    if (request->env.fault_occurred)
        return;
    rpc_add(&request->env, request->params,
            text == NULL ? xmlrpc_nil_new(&request->env) : rpc_path(&request->env, text));
}

void cli_request_bytes(struct cli_request *request, const void *bytes, size_t count)
{
    rpc_add(&request->env, request->params, rpc_bytes(&request->env, bytes, count));
}

void cli_request_integer(struct cli_request *request, int64_t number)
{
    rpc_add(&request->env, request->params, rpc_integer(&request->env, number));
}

void cli_request_wait(struct cli_request *request, int64_t wait_ms)
{
    request->wait_ms = wait_ms;
    cli_request_integer(request, wait_ms);
}

void cli_request_ids(struct cli_request *request, const uint64_t *ids, size_t count)
{
    xmlrpc_value *array = rpc_array(&request->env);

    for (size_t i = 0; i < count; i++)
        rpc_add(&request->env, array, rpc_integer(&request->env, (int64_t)ids[i]));
    rpc_add(&request->env, request->params, array);
}

static size_t append_body(char *bytes, size_t one, size_t count, void *ctx)
{
    struct cli_client *client = ctx;
    char *longer;

    if (count > RPC_DOCUMENT_LIMIT - client->length)
        return 0;
    if ((longer = realloc(client->answer, client->length + count + 1)) == NULL)
        return 0;
    memcpy(longer + client->length, bytes, count);
    client->answer = longer;
    client->length += count;
    return one * count;
}

/* CLOCK_BOOTTIME includes suspend, so that a suspend is detected as a pause. */
static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void report_waiting(struct cli_client *client)
{
    if (client->is_wait_reported || client->limit_ms <= REPORT_AFTER_MS ||
        client->timeout.idle_ms < REPORT_AFTER_MS || !cli_output_is_terminal(stderr))
        return;
    client->is_wait_reported = true;
    fprintf(stderr, "dustwire: waiting up to %u s for the daemon (Ctrl-C stops waiting)\n",
            (unsigned)(client->limit_ms / 1000));
}

/* libcurl's progress callback, called at least once a second; nonzero aborts the call. */
static int check_abort(void *ctx, curl_off_t a, curl_off_t downloaded, curl_off_t b,
                       curl_off_t uploaded)
{
    struct cli_client *client = ctx;

    (void)a, (void)b;
    if (client->is_stoppable && cli_is_interrupted())
        client->stopped_by = CLI_INTERRUPTED;
    else if (client->is_output_watched && cli_output_is_closed())
        client->stopped_by = CLI_OUTPUT_CLOSED;
    else if (cli_timeout_is_expired(&client->timeout, now_ms(), (uint64_t)(downloaded + uploaded)))
        client->stopped_by = CLI_NOT_SERVING;
    else
        report_waiting(client);
    return client->stopped_by != CLI_OK;
}

/* As libcurl does by default, but keeps errno on failure. */
static curl_socket_t open_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct cli_client *client = ctx;
    int fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);

    (void)purpose;
    client->is_resolved = true;
    client->socket_error = fd < 0 ? errno : 0;
    return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static bool add_header(struct cli_client *client, const char *header)
{
    struct curl_slist *longer = curl_slist_append(client->headers, header);

    if (longer != NULL)
        client->headers = longer;
    return longer != NULL;
}

/* Reads the token from the file's first line: command lines are visible to all users. */
static bool add_token(struct cli_client *client, const char *path)
{
    char token[TOKEN_MAX + 1] = "", header[TOKEN_MAX + sizeof "Authorization: Bearer "];
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        fprintf(stderr, "dustwire: cannot read token file %s: %s\n", path, strerror(errno));
        return false;
    }
    if (fgets(token, sizeof token, file) == NULL)
        token[0] = '\0';
    fclose(file);
    token[strcspn(token, "\r\n")] = '\0';
    if (token[0] == '\0') {
        fprintf(stderr, "dustwire: token file %s has no token in its first line\n", path);
        return false;
    }
    snprintf(header, sizeof header, "Authorization: Bearer %s", token);
    return add_header(client, header);
}

static void set_target(struct cli_client *client, const char *socket, const char *url)
{
    char target[TARGET_MAX];

    client->is_url = url != NULL;
    if (url == NULL) {
        client->socket = socket;
        snprintf(client->where, sizeof client->where, "the socket %s", socket);
        curl_easy_setopt(client->curl, CURLOPT_URL, "http://localhost/RPC2");
        curl_easy_setopt(client->curl, CURLOPT_UNIX_SOCKET_PATH, socket);
        return;
    }
    snprintf(client->where, sizeof client->where, "%s", url);
    snprintf(target, sizeof target, "%s%sRPC2", url, url[strlen(url) - 1] == '/' ? "" : "/");
    curl_easy_setopt(client->curl, CURLOPT_URL, target);
    curl_easy_setopt(client->curl, CURLOPT_PROTOCOLS_STR, "http");
}

struct cli_client *cli_client_new(const char *socket, const char *url, const char *token_file)
{
    struct cli_client *client = calloc(1, sizeof *client);

    if (client == NULL || (client->curl = curl_easy_init()) == NULL ||
        !add_header(client, "Content-Type: text/xml")) {
        fputs("dustwire: out of memory\n", stderr);
        cli_client_free(&client);
        return NULL;
    }
    if (token_file != NULL && !add_token(client, token_file)) {
        cli_client_free(&client);
        return NULL;
    }
    set_target(client, socket, url);
    curl_easy_setopt(client->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, client->headers);
    curl_easy_setopt(client->curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_LIMIT_S);
    curl_easy_setopt(client->curl, CURLOPT_OPENSOCKETFUNCTION, open_socket);
    curl_easy_setopt(client->curl, CURLOPT_OPENSOCKETDATA, client);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, append_body);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, client);
    curl_easy_setopt(client->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(client->curl, CURLOPT_XFERINFOFUNCTION, check_abort);
    curl_easy_setopt(client->curl, CURLOPT_XFERINFODATA, client);
    return client;
}

void cli_client_wait_for(struct cli_client *client, int64_t seconds)
{
    client->override_limit_ms = (uint64_t)seconds * 1000;
}

void cli_client_watch_output(struct cli_client *client)
{
    client->is_output_watched = true;
}

void cli_client_free(struct cli_client **client)
{
    if (*client == NULL)
        return;
    curl_slist_free_all((*client)->headers);
    curl_easy_cleanup((*client)->curl);
    free((*client)->answer);
    free(*client);
    *client = NULL;
}

static void reply_problem(struct cli_reply *reply, enum cli_exit exit_code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void reply_problem(struct cli_reply *reply, enum cli_exit exit_code, const char *format, ...)
{
    va_list list;

    reply->exit_code = exit_code;
    va_start(list, format);
    if (vasprintf(&reply->problem, format, list) < 0)
        reply->problem = NULL;
    va_end(list);
}

/* connect(2) to a Unix socket with a full backlog fails with EAGAIN. libcurl takes that for a
 * connect in progress and then reports no errno; all other failures have one. */
static bool is_full(const struct cli_client *client, CURLcode code, long os_errno)
{
    return code == CURLE_COULDNT_CONNECT && !client->is_url &&
           (os_errno == 0 || os_errno == EAGAIN);
}

/* True if a resource limit of this process or system is the cause, not the daemon. */
static bool explain_own_limit(struct cli_reply *reply, int error_number)
{
    const char *advice = error_number == EMFILE   ? "raise the limit (ulimit -n)"
                         : error_number == ENFILE ? "the system's file table is full"
                         : error_number == ENOMEM || error_number == ENOBUFS
                             ? "the system is out of memory"
                             : NULL;

    if (advice == NULL)
        return false;
    reply_problem(reply, CLI_FAILED, "cannot open a connection: %s: %s", strerror(error_number),
                  advice);
    return true;
}

/* check_abort ended the call. */
static void explain_stop(const struct cli_client *client, struct cli_reply *reply)
{
    unsigned seconds = (unsigned)(client->limit_ms / 1000);
    long sent_bytes = 0;

    curl_easy_getinfo(client->curl, CURLINFO_REQUEST_SIZE, &sent_bytes);
    reply->is_timed_out = client->stopped_by == CLI_NOT_SERVING;
    reply->is_cut_off = reply->is_timed_out && sent_bytes > 0;
    if (!reply->is_timed_out)
        reply_problem(reply, client->stopped_by, "interrupted");
    else if (!client->is_resolved)
        reply_problem(
            reply, CLI_NOT_SERVING,
            "cannot resolve the host name in %s: no response from a name server within %u s; "
            "use an IP address",
            client->where, seconds);
    else if (sent_bytes == 0)
        reply_problem(reply, CLI_NOT_SERVING,
                      "cannot connect to %s: no response within %u s from its host, or a firewall "
                      "drops the packets",
                      client->where, seconds);
    else
        reply_problem(
            reply, CLI_NOT_SERVING,
            "no response from the daemon at %s for %u s: it may be stopped, blocked on its "
            "disk or overloaded; use --timeout SECONDS to wait longer",
            client->where, seconds);
}

static void *exit_at_once(void *nothing)
{
    return nothing;
}

/* libcurl resolves names in a separate thread and does not distinguish a thread that could not be
 * started from an unknown name: try to start one. */
static bool can_start_threads(void)
{
    pthread_t thread;

    return pthread_create(&thread, NULL, exit_at_once, NULL) == 0 &&
           pthread_join(thread, NULL) == 0;
}

/* connect(2) reports the same error for a file, a directory and a socket without a listener. */
static bool explain_no_socket(const struct cli_client *client, struct cli_reply *reply)
{
    struct stat st;

    if (client->socket == NULL || stat(client->socket, &st) != 0 || S_ISSOCK(st.st_mode))
        return false;
    reply_problem(
        reply, CLI_NOT_SERVING,
        "%s is not a socket but %s: specify the daemon's control socket ([control] socket in its "
        "settings) with --socket PATH",
        client->socket,
        S_ISDIR(st.st_mode)   ? "a directory"
        : S_ISREG(st.st_mode) ? "a file"
                              : "a pipe or a device");
    return true;
}

static void explain_connect(struct cli_client *client, struct cli_reply *reply, CURLcode code,
                            long os_errno)
{
    if (code == CURLE_COULDNT_RESOLVE_HOST && !can_start_threads()) {
        reply_problem(reply, CLI_FAILED,
                      "cannot resolve the host name in %s: thread limit reached (ulimit -u, or the "
                      "control group's limit); use an IP address",
                      client->where);
        return;
    }
    if (code == CURLE_COULDNT_RESOLVE_HOST) {
        reply_problem(reply, CLI_NOT_SERVING, "cannot resolve the host name in %s: unknown host",
                      client->where);
        return;
    }
    if (explain_no_socket(client, reply))
        return;
    reply_problem(reply, CLI_NOT_SERVING,
                  "cannot connect to the daemon at %s: %s; %s, or specify its %s", client->where,
                  os_errno != 0 ? strerror((int)os_errno) : curl_easy_strerror(code),
                  os_errno == EACCES ? "run this as the daemon's user" : "start dustwired",
                  client->is_url ? "[control] listen with --url http://HOST:PORT"
                                 : "socket with --socket PATH");
}

static void explain_curl(struct cli_client *client, struct cli_reply *reply, CURLcode code)
{
    long os_errno = 0;

    curl_easy_getinfo(client->curl, CURLINFO_OS_ERRNO, &os_errno);
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        explain_stop(client, reply);
    } else if (explain_own_limit(reply, client->socket_error != 0 ? client->socket_error
                                                                  : (int)os_errno)) {
        return;
    } else if (is_full(client, code, os_errno)) {
        reply_problem(reply, CLI_NOT_SERVING,
                      "too many connections to the daemon at %s: retry, or end other clients",
                      client->where);
    } else if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST) {
        explain_connect(client, reply, code, os_errno);
    } else if (code == CURLE_OUT_OF_MEMORY) {
        reply_problem(reply, CLI_FAILED, "out of memory");
    } else {
        reply->is_cut_off = true;
        reply_problem(reply, CLI_NOT_SERVING,
                      "lost the connection to the daemon at %s before its answer (%s): see its log",
                      client->where, curl_easy_strerror(code));
    }
}

/* The daemon's faults name RPC parameters: reworded for users of the command. */
static void explain_fault(struct cli_client *client, struct cli_reply *reply, const char *text)
{
    enum cli_exit exit_code = reply->is_cut_off ? CLI_NOT_SERVING : CLI_FAILED;
    int behind_name = 0, name = 0;

    sscanf(text, "parameter %*u, %n%*[a-z_]%n", &name, &behind_name);
    if (reply->fault == FAULT_NO_METHOD)
        reply_problem(
            reply, exit_code,
            "the daemon at %s does not support this command: use the dustwire of the same "
            "version",
            client->where);
    else if (reply->fault == FAULT_PARAMETERS && behind_name > name && text[behind_name] == ',')
        reply_problem(reply, exit_code, "the %.*s%s", behind_name - name, text + name,
                      text + behind_name + 1);
    else
        reply_problem(reply, exit_code, "%s", text);
}

static void read_answer(struct cli_client *client, struct cli_reply *reply)
{
    struct rpc_answer answer;
    long status = 0;
    enum err e;

    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 401) {
        reply_problem(reply, CLI_FAILED,
                      "the daemon at %s rejected the token: pass its [control] token with "
                      "--token-file FILE",
                      client->where);
        return;
    }
    if (status != 200) {
        reply->is_cut_off = status == 503;
        reply_problem(reply, status == 503 ? CLI_NOT_SERVING : CLI_FAILED,
                      "%s answered with HTTP status %ld: not a dustwired, or it is stopping",
                      client->where, status);
        return;
    }
    e = rpc_answer_parse(&answer, client->answer == NULL ? "" : client->answer, client->length);
    if (e == ERR_OK && answer.value != NULL) {
        reply->answer = rpc_json_of(answer.value);
    } else {
        reply->fault = e == ERR_OK ? answer.fault_code : 0;
        reply->is_cut_off = reply->fault == FAULT_STOPPING;
        explain_fault(client, reply, answer.text == NULL ? "out of memory" : answer.text);
    }
    rpc_answer_fini(&answer);
}

/* True if the method must not be repeated; `is_slow`: it has the long timeout. */
static bool is_not_repeatable(const char *method, bool *is_slow)
{
    *is_slow = false;
    for (size_t i = 0; i < sizeof slow_methods / sizeof *slow_methods; i++)
        if (strcmp(slow_methods[i].method, method) == 0) {
            *is_slow = true;
            return slow_methods[i].is_not_repeatable;
        }
    return false;
}

static struct cli_reply exchange(struct cli_client *client, const char *document, size_t length)
{
    struct cli_reply reply = {.exit_code = CLI_OK};
    CURLcode code;

    free(client->answer);
    client->answer = NULL;
    client->length = 0;
    client->stopped_by = CLI_OK;
    client->socket_error = 0;
    client->is_wait_reported = false;
    cli_timeout_start(&client->timeout, client->limit_ms, client->limit_ms + TOTAL_LIMIT_MS,
                      now_ms());
    curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
    curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, document);
    code = curl_easy_perform(client->curl);
    if (code != CURLE_OK)
        explain_curl(client, &reply, code);
    else
        read_answer(client, &reply);
    reply.was_paused = client->timeout.was_paused;
    return reply;
}

/* While this process was stopped the daemon may have timed out the connection: a read-only call is
 * repeated. */
static struct cli_reply exchange_with_retry(struct cli_client *client, const char *method,
                                            const char *document, size_t length, int64_t wait_ms)
{
    bool is_slow, is_final = is_not_repeatable(method, &is_slow);
    uint64_t limit_ms = is_slow ? CHANGE_LIMIT_MS : QUERY_LIMIT_MS;
    struct cli_reply reply;

    if (client->override_limit_ms > 0)
        limit_ms = client->override_limit_ms;
    client->limit_ms = limit_ms + (uint64_t)wait_ms;
    reply = exchange(client, document, length);
    if (!reply.is_cut_off || reply.is_timed_out || !reply.was_paused || reply.fault != 0 ||
        is_final)
        return reply;
    cli_reply_fini(&reply);
    return exchange(client, document, length);
}

struct cli_reply cli_call(struct cli_client *client, const char *method,
                          struct cli_request *request, bool is_stoppable)
{
    struct cli_reply reply = {.exit_code = CLI_OK};
    char *document = NULL;
    size_t length = 0;

    client->is_stoppable = is_stoppable;
    if (request->env.fault_occurred ||
        rpc_call_write(&document, &length, method, request->params) != ERR_OK)
        reply_problem(&reply, CLI_FAILED, "cannot encode the request: out of memory");
    else
        reply = exchange_with_retry(client, method, document, length, request->wait_ms);
    free(document);
    rpc_release(&request->params);
    xmlrpc_env_clean(&request->env);
    return reply;
}

void cli_reply_fini(struct cli_reply *reply)
{
    free(reply->problem);
    reply->problem = NULL;
    json_decref(reply->answer);
    reply->answer = NULL;
}

enum cli_exit cli_fail(struct cli_reply *reply)
{
    enum cli_exit exit_code = reply->exit_code;
    const char *problem = reply->problem == NULL ? "out of memory" : reply->problem;
    size_t length = strlen(problem);

    if (length > 0 && problem[length - 1] == '\n') /* a list of problems, one per line */
        length--;
    if (exit_code != CLI_INTERRUPTED && exit_code != CLI_OUTPUT_CLOSED)
        fprintf(stderr, "dustwire: %.*s\n", (int)length, problem);
    cli_reply_fini(reply);
    return exit_code;
}
