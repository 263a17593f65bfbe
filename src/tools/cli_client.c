#include "tools/cli.h"

#include "base/text.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { ANSWER_TIMEOUT_S = 180, TOKEN_MAX = 255, TARGET_MAX = 1024 };

static volatile sig_atomic_t interrupts;

struct cli_client {
    CURL *curl;
    struct curl_slist *headers;
    char where[512]; /* for people: "the socket /run/..." or the URL */
    bool is_url;
    bool is_stoppable;
    char *answer;
    size_t length;
};

static void count_interrupt(int signal_number)
{
    if (++interrupts > 1)
        _exit(128 + signal_number);
}

void cli_catch_interrupts(void)
{
    struct sigaction action = {.sa_handler = count_interrupt};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool cli_is_interrupted(void)
{
    return interrupts > 0;
}

void cli_ask_init(struct cli_ask *ask)
{
    xmlrpc_env_init(&ask->env);
    ask->params = rpc_array(&ask->env);
}

void cli_ask_text(struct cli_ask *ask, const char *text)
{
    if (ask->env.fault_occurred)
        return;
    rpc_add(&ask->env, ask->params,
            text == NULL ? xmlrpc_nil_new(&ask->env) : rpc_path(&ask->env, text));
}

void cli_ask_bytes(struct cli_ask *ask, const void *bytes, size_t count)
{
    rpc_add(&ask->env, ask->params, rpc_bytes(&ask->env, bytes, count));
}

void cli_ask_integer(struct cli_ask *ask, int64_t number)
{
    rpc_add(&ask->env, ask->params, rpc_integer(&ask->env, number));
}

void cli_ask_ids(struct cli_ask *ask, const uint64_t *ids, size_t count)
{
    xmlrpc_value *array = rpc_array(&ask->env);

    for (size_t i = 0; i < count; i++)
        rpc_add(&ask->env, array, rpc_integer(&ask->env, (int64_t)ids[i]));
    rpc_add(&ask->env, ask->params, array);
}

static size_t take_bytes(char *bytes, size_t one, size_t count, void *ctx)
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

static int look_for_interrupt(void *ctx, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    const struct cli_client *client = ctx;

    (void)a, (void)b, (void)c, (void)d;
    return client->is_stoppable && cli_is_interrupted();
}

static bool add_header(struct cli_client *client, const char *header)
{
    struct curl_slist *longer = curl_slist_append(client->headers, header);

    if (longer != NULL)
        client->headers = longer;
    return longer != NULL;
}

/* The first line of a file: a token on the command line could be seen by everybody. */
static bool add_token(struct cli_client *client, const char *path)
{
    char token[TOKEN_MAX + 1] = "", header[TOKEN_MAX + sizeof "Authorization: Bearer "];
    FILE *file = fopen(path, "re");

    if (file == NULL) {
        fprintf(stderr, "dustwire: the token file %s cannot be read: %s\n", path, strerror(errno));
        return false;
    }
    if (fgets(token, sizeof token, file) == NULL)
        token[0] = '\0';
    fclose(file);
    token[strcspn(token, "\r\n")] = '\0';
    if (token[0] == '\0') {
        fprintf(stderr, "dustwire: the token file %s has no token in its first line\n", path);
        return false;
    }
    snprintf(header, sizeof header, "Authorization: Bearer %s", token);
    return add_header(client, header);
}

static void aim(struct cli_client *client, const char *socket, const char *url)
{
    char target[TARGET_MAX];

    client->is_url = url != NULL;
    if (url == NULL) {
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
    aim(client, socket, url);
    curl_easy_setopt(client->curl, CURLOPT_PROXY, "");
    curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, client->headers);
    curl_easy_setopt(client->curl, CURLOPT_TIMEOUT, (long)ANSWER_TIMEOUT_S);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, client);
    curl_easy_setopt(client->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(client->curl, CURLOPT_XFERINFOFUNCTION, look_for_interrupt);
    curl_easy_setopt(client->curl, CURLOPT_XFERINFODATA, client);
    return client;
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

static json_t *to_json(xmlrpc_value *value);

/* Bytes that are no clean text stand percent-escaped in JSON. */
static json_t *text_to_json(const char *bytes, size_t length)
{
    char *escaped;
    json_t *text;

    if (rpc_is_clean_text(bytes, length))
        return json_stringn(bytes, length);
    if ((escaped = malloc(3 * length + 1)) == NULL)
        return NULL;
    text_escape(escaped, 3 * length + 1, bytes, length, false);
    text = json_string(escaped);
    free(escaped);
    return text;
}

static json_t *array_to_json(xmlrpc_env *env, xmlrpc_value *value)
{
    json_t *array = json_array();
    int count = xmlrpc_array_size(env, value);

    for (int i = 0; i < count; i++) {
        xmlrpc_value *item = NULL;

        xmlrpc_array_read_item(env, value, (unsigned)i, &item);
        if (env->fault_occurred)
            break;
        json_array_append_new(array, to_json(item));
        xmlrpc_DECREF(item);
    }
    return array;
}

static json_t *struct_to_json(xmlrpc_env *env, xmlrpc_value *value)
{
    json_t *object = json_object();
    int count = xmlrpc_struct_size(env, value);

    for (int i = 0; i < count; i++) {
        xmlrpc_value *key = NULL, *item = NULL;
        const char *name = NULL;

        xmlrpc_struct_read_member(env, value, (unsigned)i, &key, &item);
        if (env->fault_occurred)
            break;
        xmlrpc_read_string(env, key, &name);
        if (name != NULL)
            json_object_set_new(object, name, to_json(item));
        free((void *)name);
        xmlrpc_DECREF(key);
        xmlrpc_DECREF(item);
    }
    return object;
}

static json_t *bytes_to_json(xmlrpc_env *env, xmlrpc_value *value)
{
    const unsigned char *bytes = NULL;
    const char *text = NULL;
    json_t *json = NULL;
    size_t length = 0;

    if (xmlrpc_value_type(value) == XMLRPC_TYPE_BASE64)
        xmlrpc_read_base64(env, value, &length, &bytes);
    else
        xmlrpc_read_string_lp(env, value, &length, &text);
    if (!env->fault_occurred)
        json = text_to_json(bytes != NULL ? (const char *)bytes : text, length);
    free((void *)bytes);
    free((void *)text);
    return json;
}

static json_t *number_to_json(xmlrpc_env *env, xmlrpc_value *value)
{
    xmlrpc_int64 wide = 0;
    xmlrpc_double real = 0;
    int narrow = 0;

    switch (xmlrpc_value_type(value)) {
    case XMLRPC_TYPE_I8:
        xmlrpc_read_i8(env, value, &wide);
        return json_integer(wide);
    case XMLRPC_TYPE_DOUBLE:
        xmlrpc_read_double(env, value, &real);
        return json_real(real);
    case XMLRPC_TYPE_BOOL:
        xmlrpc_read_bool(env, value, &narrow);
        return json_boolean(narrow);
    default:
        xmlrpc_read_int(env, value, &narrow);
        return json_integer(narrow);
    }
}

static json_t *to_json(xmlrpc_value *value)
{
    json_t *json = NULL;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    switch (xmlrpc_value_type(value)) {
    case XMLRPC_TYPE_STRING:
    case XMLRPC_TYPE_BASE64:
        json = bytes_to_json(&env, value);
        break;
    case XMLRPC_TYPE_ARRAY:
        json = array_to_json(&env, value);
        break;
    case XMLRPC_TYPE_STRUCT:
        json = struct_to_json(&env, value);
        break;
    case XMLRPC_TYPE_INT:
    case XMLRPC_TYPE_I8:
    case XMLRPC_TYPE_BOOL:
    case XMLRPC_TYPE_DOUBLE:
        json = number_to_json(&env, value);
        break;
    default:
        break;
    }
    xmlrpc_env_clean(&env);
    return json == NULL ? json_null() : json;
}

static void reply_problem(struct cli_reply *reply, enum cli_end end, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void reply_problem(struct cli_reply *reply, enum cli_end end, const char *format, ...)
{
    va_list list;

    reply->end = end;
    va_start(list, format);
    if (vasprintf(&reply->problem, format, list) < 0)
        reply->problem = NULL;
    va_end(list);
}

static void explain_curl(struct cli_client *client, struct cli_reply *reply, CURLcode code)
{
    long os_errno = 0;

    curl_easy_getinfo(client->curl, CURLINFO_OS_ERRNO, &os_errno);
    if (code == CURLE_ABORTED_BY_CALLBACK) {
        reply_problem(reply, CLI_INTERRUPTED, "interrupted");
    } else if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST) {
        reply_problem(reply, CLI_NOT_SERVING, "no daemon answers at %s: %s; %s, or name its %s",
                      client->where,
                      os_errno != 0 ? strerror((int)os_errno) : curl_easy_strerror(code),
                      os_errno == EACCES ? "run this as the daemon's user" : "start dustwired",
                      client->is_url ? "[control] listen with --url http://HOST:PORT"
                                     : "socket with --socket PATH");
    } else {
        reply->is_cut_off = true;
        reply_problem(reply, CLI_NOT_SERVING,
                      "the daemon at %s went away or did not answer (%s): see its log",
                      client->where, curl_easy_strerror(code));
    }
}

/* The daemon says what is wrong with a call to whoever made it; here that is not a person. */
static void explain_fault(struct cli_client *client, struct cli_reply *reply, const char *text)
{
    enum cli_end end = reply->is_cut_off ? CLI_NOT_SERVING : CLI_FAILED;
    int behind_name = 0, name = 0;

    sscanf(text, "parameter %*u, %n%*[a-z_]%n", &name, &behind_name);
    if (reply->fault == FAULT_NO_METHOD)
        reply_problem(reply, end,
                      "the daemon at %s is of another version and does not know this command: use "
                      "the dustwire that came with it",
                      client->where);
    else if (reply->fault == FAULT_PARAMETERS && behind_name > name && text[behind_name] == ',')
        reply_problem(reply, end, "the %.*s%s", behind_name - name, text + name,
                      text + behind_name + 1);
    else
        reply_problem(reply, end, "%s", text);
}

static void read_answer(struct cli_client *client, struct cli_reply *reply)
{
    struct rpc_answer answer;
    long status = 0;
    enum err e;

    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    if (status == 401) {
        reply_problem(reply, CLI_FAILED,
                      "the daemon at %s wants another token: give the one of its [control] token "
                      "with --token-file FILE",
                      client->where);
        return;
    }
    if (status != 200) {
        reply->is_cut_off = status == 503;
        reply_problem(reply, status == 503 ? CLI_NOT_SERVING : CLI_FAILED,
                      "what answers at %s says HTTP status %ld: it is no dustwired, or it is "
                      "stopping",
                      client->where, status);
        return;
    }
    e = rpc_answer_parse(&answer, client->answer == NULL ? "" : client->answer, client->length);
    if (e == ERR_OK && answer.value != NULL) {
        reply->answer = to_json(answer.value);
    } else {
        reply->fault = e == ERR_OK ? answer.fault_code : 0;
        reply->is_cut_off = reply->fault == FAULT_STOPPING;
        explain_fault(client, reply, answer.text == NULL ? "out of memory" : answer.text);
    }
    rpc_answer_fini(&answer);
}

struct cli_reply cli_call(struct cli_client *client, const char *method, struct cli_ask *ask,
                          bool is_stoppable)
{
    struct cli_reply reply = {.end = CLI_OK};
    char *document = NULL;
    size_t length = 0;
    CURLcode code;

    if (ask->env.fault_occurred ||
        rpc_call_write(&document, &length, method, ask->params) != ERR_OK) {
        reply_problem(&reply, CLI_FAILED, "the request could not be written: out of memory");
    } else {
        free(client->answer);
        client->answer = NULL;
        client->length = 0;
        client->is_stoppable = is_stoppable;
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
        curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, document);
        code = curl_easy_perform(client->curl);
        if (code != CURLE_OK)
            explain_curl(client, &reply, code);
        else
            read_answer(client, &reply);
    }
    free(document);
    rpc_release(&ask->params);
    xmlrpc_env_clean(&ask->env);
    return reply;
}

void cli_reply_fini(struct cli_reply *reply)
{
    free(reply->problem);
    reply->problem = NULL;
    json_decref(reply->answer);
    reply->answer = NULL;
}

enum cli_end cli_fail(struct cli_reply *reply)
{
    enum cli_end end = reply->end;
    const char *problem = reply->problem == NULL ? "out of memory" : reply->problem;
    size_t length = strlen(problem);

    if (length > 0 && problem[length - 1] == '\n') /* a list of problems, a line each */
        length--;
    if (end != CLI_INTERRUPTED)
        fprintf(stderr, "dustwire: %.*s\n", (int)length, problem);
    cli_reply_fini(reply);
    return end;
}

const char *cli_text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL ? "" : text;
}

int64_t cli_number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

bool cli_is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

void cli_print_json(const json_t *value)
{
    json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
    putchar('\n');
    fflush(stdout);
}
