#include "control/node.h"

#include "base/log.h"
#include "base/text.h"
#include "gateway/contact.h"
#include "gateway_client/client.h"
#include "supervisor/automata.h"
#include "support/folders.h"

#include <criterion/criterion.h>
#include <curl/curl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PARKED_MAX = 4096 };

char node_folder[64];
char node_socket[96];
uint16_t node_port;
static char own_settings[96];

/* Requests that the transport has not answered; accessed by the supervisor's and control's threads.
 */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct send_request *sends[PARKED_MAX];
    unsigned send_count;
    struct host_request *connects[PARKED_MAX];
    unsigned connect_count;
    struct request *parked[PARKED_MAX]; /* any other call, while is_parking */
    unsigned parked_count;
    bool is_parking;
    char refusal[128]; /* of connect; "": it serves */
    unsigned send_delay_ms;
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static struct {
    struct settings settings;
    struct event_sink *events;
    struct gateway *gateway;
    struct gateway_client *gateway_client;
    struct inbox *inbox;
    struct committer *committer;
    struct supervisor *supervisor;
    struct control *control;
} node;

/* False: not parked; to be answered. */
static bool park(struct request *r)
{
    bool is_parked;

    pthread_mutex_lock(&fake.lock);
    is_parked = fake.is_parking;
    if (is_parked) {
        cr_assert_lt(fake.parked_count, PARKED_MAX);
        fake.parked[fake.parked_count++] = r;
        pthread_cond_broadcast(&fake.changed);
    }
    pthread_mutex_unlock(&fake.lock);
    return is_parked;
}

static void t_connect(void *self, struct transport_start *start)
{
    (void)self;
    pthread_mutex_lock(&fake.lock);
    snprintf(start->error, sizeof start->error, "%s", fake.refusal);
    pthread_mutex_unlock(&fake.lock);
    snprintf(start->host, sizeof start->host, "127.0.0.1:7771");
    request_answer(&start->request, start->error[0] == '\0' ? ERR_OK : ERR_BUSY);
}

static void t_disconnect(void *self, struct transport_stop *stop)
{
    (void)self;
    request_answer(&stop->request, ERR_OK);
}

static void t_settings_changed(void *self, const struct settings *settings)
{
    (void)self, (void)settings;
}

static bool t_is_rebind_needed(void *self)
{
    (void)self;
    return false;
}

static enum err t_build_contacts(void *self, char out[CONTACT_TEXT_SIZE])
{
    (void)self;
    return text_copy(out, CONTACT_TEXT_SIZE, "tcp://192.0.2.7:7771");
}

static bool t_verify_contacts(void *self, const struct contact *contact)
{
    (void)self;
    return strcmp(contact->host, "192.0.2.7") == 0 && contact->port == 7771;
}

static void t_send_file(void *self, struct send_request *r)
{
    (void)self;
    usleep(fake.send_delay_ms * 1000);
    pthread_mutex_lock(&fake.lock);
    cr_assert_lt(fake.send_count, PARKED_MAX);
    fake.sends[fake.send_count++] = r;
    pthread_cond_broadcast(&fake.changed);
    pthread_mutex_unlock(&fake.lock);
}

static void t_connect_to(void *self, struct host_request *r)
{
    (void)self;
    pthread_mutex_lock(&fake.lock);
    cr_assert_lt(fake.connect_count, PARKED_MAX);
    fake.connects[fake.connect_count++] = r;
    pthread_cond_broadcast(&fake.changed);
    pthread_mutex_unlock(&fake.lock);
}

static void t_host(void *self, struct host_request *r)
{
    (void)self;
    if (park(&r->request))
        return;
    r->answer = r->route.contact.port == 7771;
    request_answer(&r->request, ERR_OK);
}

static struct send_request *take_send(uint64_t id)
{
    struct send_request *found = NULL;

    pthread_mutex_lock(&fake.lock);
    for (unsigned i = 0; i < fake.send_count; i++) {
        if (fake.sends[i] != NULL && fake.sends[i]->id == id) {
            found = fake.sends[i];
            fake.sends[i] = NULL;
        }
    }
    pthread_mutex_unlock(&fake.lock);
    return found;
}

static void end_send(struct send_request *r, enum gateway_transfer_status status, const char *error)
{
    r->status = status;
    r->transfer_id = 65537;
    r->sent_bytes = status == GATEWAY_TRANSFER_FINISHED ? r->size_bytes : 0;
    snprintf(r->error, sizeof r->error, "%s", error);
    request_answer(&r->request, ERR_OK);
}

static void t_cancel(void *self, struct cancel_request *r)
{
    struct send_request *send;

    (void)self;
    if (park(&r->request))
        return;
    send = r->send_id == 0 ? NULL : take_send(r->send_id);
    r->answer = send != NULL || r->transfer_id == 65537;
    if (send != NULL)
        end_send(send, GATEWAY_TRANSFER_FAILED, "cancelled");
    request_answer(&r->request, ERR_OK);
}

/* The only session has host 192.0.2.9:7771 and idurl "bob". */
static void find_session(struct list_request *r)
{
    struct address wanted;

    cr_assert_eq(address_from_ip_text(&wanted, "192.0.2.9", 7771), ERR_OK);
    r->sessions = calloc(1, sizeof *r->sessions);
    cr_assert_not_null(r->sessions);
    if ((r->host.family == ADDRESS_NONE || address_is_equal(&r->host, &wanted)) &&
        (r->idurl[0] == '\0' || strcmp(r->idurl, "bob") == 0)) {
        *r->sessions = (struct session_info){.id = 9,
                                             .proto = "tcp",
                                             .state = "CONNECTED",
                                             .host = wanted,
                                             .is_outgoing = true,
                                             .bytes_sent = UINT64_C(5000000000),
                                             .age_us = 7999999,
                                             .opened_at_us = INT64_C(1700000000999999)};
        r->count = r->total = 1;
    }
    request_answer(&r->request, ERR_OK);
}

static void t_list_sessions(void *self, struct list_request *r)
{
    (void)self;
    if (park(&r->request))
        return;
    if (r->host.family != ADDRESS_NONE || r->idurl[0] != '\0') {
        find_session(r);
        return;
    }
    if (r->has_cursor)
        r->offset = r->cursor.session; /* its ids are 1, 2, 3, ... */
    r->total = NODE_SESSIONS;
    r->count = r->offset >= NODE_SESSIONS ? 0 : NODE_SESSIONS - r->offset;
    if (r->count > r->limit)
        r->count = r->limit;
    r->sessions = calloc(r->count + 1, sizeof *r->sessions);
    cr_assert_not_null(r->sessions);
    for (size_t i = 0; i < r->count; i++) {
        struct session_info *s = &r->sessions[i];

        *s = (struct session_info){.id = r->offset + i + 1, .proto = "tcp", .state = "CONNECTED"};
        s->cursor.session = s->id;
        memset(s->idurl, 'i', sizeof s->idurl - 1);
    }
    request_answer(&r->request, ERR_OK);
}

static void t_list_streams(void *self, struct list_request *r)
{
    (void)self;
    if (park(&r->request))
        return;
    if (r->transfer_id != 0 && r->transfer_id != 65537) {
        request_answer(&r->request, ERR_OK);
        return;
    }
    r->streams = calloc(3, sizeof *r->streams);
    cr_assert_not_null(r->streams);
    for (unsigned i = 0; i < 3; i++) {
        r->streams[i] =
            (struct stream_info){.request_id = i + 1, .transfer_id = 65537, .state = "sending"};
        strcpy(r->streams[i].filename, "/tmp/odd\xff\nname");
    }
    r->count = r->total = 3;
    request_answer(&r->request, ERR_OK);
}

static void t_count(void *self, struct counts_request *r)
{
    (void)self;
    if (park(&r->request))
        return;
    r->counts = (struct transport_counts){.workers = 2, .sessions = NODE_SESSIONS};
    request_answer(&r->request, ERR_OK);
}

static const struct transport_ops ops = {
    .proto = "tcp",
    .connect = t_connect,
    .disconnect = t_disconnect,
    .settings_changed = t_settings_changed,
    .is_rebind_needed = t_is_rebind_needed,
    .build_contacts = t_build_contacts,
    .verify_contacts = t_verify_contacts,
    .send_file = t_send_file,
    .connect_to = t_connect_to,
    .disconnect_from = t_host,
    .send_keep_alive = t_host,
    .cancel_file_sending = t_cancel,
    .cancel_file_receiving = t_cancel,
    .cancel_outbox_file = t_cancel,
    .list_sessions = t_list_sessions,
    .list_streams = t_list_streams,
    .count = t_count,
};

static bool t_is_enabled(const struct settings *s)
{
    return s->tcp_transport.is_enabled;
}

static struct transport_preferences t_preferences(const struct settings *s)
{
    return (struct transport_preferences){.priority = s->tcp_transport.priority,
                                          .is_sending_enabled = s->tcp_transport.is_sending_enabled,
                                          .is_receiving_enabled = true};
}

static const struct service service = {.name = "tcp_transport",
                                       .section = "services/tcp-transport",
                                       .is_enabled = t_is_enabled,
                                       .needs = {&gateway_service}};
static const struct transport_row row = {
    .ops = &ops, .service = &service, .preferences = t_preferences};
static const struct transport_table table = {.rows = &row, .count = 1};
static const struct automat_kind *const automata[] = {&network_transport_kind,
                                                      &network_connector_kind};

static void wait_until_listening(void)
{
    for (;;) {
        struct answer a = ask("status", "()");
        xmlrpc_value *transports = member(&a, "transports"), *tcp = item(transports, 0);
        char *state = text_in(tcp, "state");
        bool is_there = strcmp(state, "LISTENING") == 0;

        free(state);
        rpc_release(&tcp);
        rpc_release(&transports);
        answer_fini(&a);
        if (is_there)
            return;
    }
}

static const char *tcp_token; /* NULL: no TCP address */

static uint16_t free_port(void)
{
    struct address address;
    struct sockaddr_storage at;
    socklen_t length;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(address_from_ip_text(&address, "127.0.0.1", 0), ERR_OK);
    length = address_to_sockaddr(&address, &at);
    cr_assert_eq(bind(fd, (struct sockaddr *)&at, length), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &length), 0);
    cr_assert_eq(address_from_sockaddr(&address, (struct sockaddr *)&at), ERR_OK);
    close(fd);
    return address.port;
}

static void set_settings(void)
{
    settings_default(&node.settings);
    if (tcp_token == NULL)
        return;
    node_port = free_port();
    snprintf(node.settings.control.listen, sizeof node.settings.control.listen, "127.0.0.1:%u",
             (unsigned)node_port);
    snprintf(node.settings.control.token, sizeof node.settings.control.token, "%s", tcp_token);
}

static void open_rooms(void)
{
    char problem[512] = "", path[96];
    static struct settings_in_force in_force;

    snprintf(path, sizeof path, "%s/inbox", node_folder);
    set_settings();
    snprintf(node.settings.inbox.path, sizeof node.settings.inbox.path, "%s", path);
    snprintf(node.settings.control.socket, sizeof node.settings.control.socket, "%s", node_socket);
    node.settings.control.events_kept = 100;
    cr_assert_eq(event_sink_open(&node.events), ERR_OK);
    cr_assert_eq(gateway_open(&node.gateway, node.events), ERR_OK);
    cr_assert_eq(gateway_client_open(&node.gateway_client, &node.settings), ERR_OK);
    cr_assert_eq(gateway_client_start(node.gateway_client), ERR_OK);
    cr_assert_eq(gateway_add(node.gateway, &row), ERR_OK);
    cr_assert_eq(inbox_open(&node.inbox, path, DURABILITY_NONE, 1 << 20, problem, sizeof problem),
                 ERR_OK, "%s", problem);
    cr_assert_eq(committer_open(&node.committer, node.inbox), ERR_OK);
    in_force.settings = node.settings;
    snprintf(own_settings, sizeof own_settings, "%s/settings.ini", node_folder);
    snprintf(in_force.origins.persisted, sizeof in_force.origins.persisted, "%s", own_settings);
    cr_assert_eq(
        supervisor_open(&node.supervisor, &(struct supervisor_config){.paths = {.file = NULL},
                                                                      .in_force = in_force,
                                                                      .gateway = node.gateway,
                                                                      .transports = &table,
                                                                      .events = node.events}),
        ERR_OK);
}

void node_start(void)
{
    char problem[512] = "";

    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_LEVEL_ERROR);
    strcpy(node_folder, "/tmp/dustwire-control-XXXXXX");
    cr_assert_not_null(mkdtemp(node_folder));
    snprintf(node_socket, sizeof node_socket, "%s/run/control.sock", node_folder);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    open_rooms();
    cr_assert_eq(control_open(&node.control,
                              &(struct control_config){.settings = node.settings,
                                                       .supervisor = node.supervisor,
                                                       .gateway = node.gateway,
                                                       .gateway_client = node.gateway_client,
                                                       .transports = &table,
                                                       .events = node.events,
                                                       .inbox = node.inbox,
                                                       .committer = node.committer,
                                                       .automata = automata,
                                                       .automat_count = 2},
                              problem, sizeof problem),
                 ERR_OK, "%s", problem);
    cr_assert_eq(committer_start(node.committer), ERR_OK);
    cr_assert_eq(supervisor_start(node.supervisor), ERR_OK);
    cr_assert_eq(control_start(node.control), ERR_OK);
    wait_until_listening();
}

void node_start_at_tcp(const char *token)
{
    tcp_token = token;
    node_start();
}

char *node_own_settings(void)
{
    char *text = calloc(1, 4096);
    FILE *in = fopen(own_settings, "r");

    cr_assert_not_null(text);
    if (in == NULL) {
        free(text);
        return NULL;
    }
    text[fread(text, 1, 4095, in)] = '\0';
    fclose(in);
    return text;
}

void node_stop_control(void)
{
    control_stop(node.control);
}

/* Answers all parked requests, as tcp does while it stops. */
static void answer_parked(void)
{
    for (unsigned i = 0; i < fake.send_count; i++)
        if (fake.sends[i] != NULL)
            end_send(fake.sends[i], GATEWAY_TRANSFER_FAILED, "disconnecting");
    for (unsigned i = 0; i < fake.connect_count; i++)
        if (fake.connects[i] != NULL)
            request_answer(&fake.connects[i]->request, ERR_CLOSED);
    for (unsigned i = 0; i < fake.parked_count; i++)
        request_answer(fake.parked[i], ERR_CLOSED);
    fake.parked_count = 0;
}

void node_stop_rest(void)
{
    supervisor_stop(node.supervisor);
    answer_parked();
    committer_stop(node.committer);
    supervisor_close(&node.supervisor);
    control_close(&node.control);
    committer_close(&node.committer);
    gateway_client_stop(node.gateway_client);
    gateway_client_close(&node.gateway_client);
    gateway_close(&node.gateway);
    inbox_close(&node.inbox);
    event_sink_close(&node.events);
    curl_global_cleanup();
    folders_remove(node_folder);
}

void node_stop(void)
{
    node_stop_control();
    node_stop_rest();
}

const char *node_file(const char *name, size_t size)
{
    static char path[160];
    FILE *out;

    snprintf(path, sizeof path, "%s/%s", node_folder, name);
    out = fopen(path, "w");
    cr_assert_not_null(out);
    for (size_t i = 0; i < size; i++)
        putc('x', out);
    fclose(out);
    return path;
}

void node_emit(enum event_kind kind, const char *path)
{
    event_emit(node.events, event_new(kind, NULL, path, NULL));
}

void fake_slow_sends(unsigned delay_ms)
{
    fake.send_delay_ms = delay_ms;
}

void fake_refuse_to_listen(const char *error)
{
    pthread_mutex_lock(&fake.lock);
    snprintf(fake.refusal, sizeof fake.refusal, "%s", error);
    pthread_mutex_unlock(&fake.lock);
}

void fake_park(void)
{
    pthread_mutex_lock(&fake.lock);
    fake.is_parking = true;
    pthread_mutex_unlock(&fake.lock);
}

void fake_wait_parked(unsigned count)
{
    pthread_mutex_lock(&fake.lock);
    while (fake.parked_count < count)
        pthread_cond_wait(&fake.changed, &fake.lock);
    pthread_mutex_unlock(&fake.lock);
}

void fake_wait_sends(unsigned count)
{
    pthread_mutex_lock(&fake.lock);
    while (fake.send_count < count)
        pthread_cond_wait(&fake.changed, &fake.lock);
    pthread_mutex_unlock(&fake.lock);
}

const struct send_request *fake_send(unsigned index)
{
    return fake.sends[index];
}

void fake_end_send(unsigned index, enum gateway_transfer_status status, const char *error)
{
    struct send_request *r = fake.sends[index];

    cr_assert_not_null(r);
    fake.sends[index] = NULL;
    end_send(r, status, error);
}

void fake_wait_connects(unsigned count)
{
    pthread_mutex_lock(&fake.lock);
    while (fake.connect_count < count)
        pthread_cond_wait(&fake.changed, &fake.lock);
    pthread_mutex_unlock(&fake.lock);
}

void fake_end_connect(unsigned index, enum err result, const char *error)
{
    struct host_request *r = fake.connects[index];

    cr_assert_not_null(r);
    fake.connects[index] = NULL;
    r->session = 7;
    snprintf(r->error, sizeof r->error, "%s", error);
    request_answer(&r->request, result);
}

struct bytes {
    char *at;
    size_t length;
};

static size_t take_bytes(char *from, size_t one, size_t count, void *ctx)
{
    struct bytes *b = ctx;

    b->at = realloc(b->at, b->length + count + 1);
    cr_assert_not_null(b->at);
    memcpy(b->at + b->length, from, count);
    b->length += count;
    return one * count;
}

struct answer ask_raw(const char *method, const char *url, const char *type, const char *body,
                      size_t length)
{
    struct answer a = {.status = 0};
    struct bytes got = {NULL, 0};
    struct curl_slist *headers = curl_slist_append(NULL, type);
    CURL *curl = curl_easy_init();

    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, node_socket);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)length);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &got);
    if (curl_easy_perform(curl) == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &a.status);
    if (a.status == 200)
        cr_assert_eq(rpc_answer_parse(&a.rpc, got.at, got.length), ERR_OK, "%.*s", (int)got.length,
                     got.at);
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    free(got.at);
    return a;
}

struct answer ask(const char *method, const char *format, ...)
{
    xmlrpc_value *params;
    const char *tail;
    char *document;
    size_t length;
    struct answer a;
    xmlrpc_env env;
    va_list list;

    xmlrpc_env_init(&env);
    va_start(list, format);
    xmlrpc_build_value_va(&env, format, list, &params, &tail);
    va_end(list);
    cr_assert(!env.fault_occurred, "%s", env.fault_string);
    cr_assert_eq(rpc_call_write(&document, &length, method, params), ERR_OK);
    rpc_release(&params);
    xmlrpc_env_clean(&env);
    a = ask_raw("POST", "http://node/RPC2", "Content-Type: text/xml", document, length);
    free(document);
    return a;
}

void answer_fini(struct answer *a)
{
    rpc_answer_fini(&a->rpc);
}

static xmlrpc_value *find(xmlrpc_value *of, const char *name)
{
    xmlrpc_value *found = NULL;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    xmlrpc_struct_find_value(&env, of, name, &found);
    cr_assert(!env.fault_occurred && found != NULL, "no member %s", name);
    xmlrpc_env_clean(&env);
    return found;
}

xmlrpc_value *member(const struct answer *a, const char *name)
{
    cr_assert_not_null(a->rpc.value, "%s", a->rpc.text == NULL ? "no answer" : a->rpc.text);
    return find(a->rpc.value, name);
}

int64_t number_in(xmlrpc_value *of, const char *name)
{
    xmlrpc_value *found = name == NULL ? of : find(of, name);
    xmlrpc_int64 wide = 0;
    int narrow = 0;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    if (xmlrpc_value_type(found) == XMLRPC_TYPE_I8)
        xmlrpc_read_i8(&env, found, &wide);
    else if (xmlrpc_value_type(found) == XMLRPC_TYPE_BOOL)
        xmlrpc_read_bool(&env, found, &narrow);
    else
        xmlrpc_read_int(&env, found, &narrow);
    cr_assert(!env.fault_occurred, "%s", env.fault_string);
    xmlrpc_env_clean(&env);
    if (name != NULL)
        rpc_release(&found);
    return wide != 0 ? wide : narrow;
}

char *text_in(xmlrpc_value *of, const char *name)
{
    xmlrpc_value *found = find(of, name);
    const char *text = NULL;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    xmlrpc_read_string(&env, found, &text);
    cr_assert(!env.fault_occurred, "%s", env.fault_string);
    xmlrpc_env_clean(&env);
    rpc_release(&found);
    return (char *)(uintptr_t)text;
}

size_t length_of(xmlrpc_value *array)
{
    xmlrpc_env env;
    int length;

    xmlrpc_env_init(&env);
    length = xmlrpc_array_size(&env, array);
    cr_assert(!env.fault_occurred, "%s", env.fault_string);
    xmlrpc_env_clean(&env);
    return (size_t)length;
}

xmlrpc_value *item(xmlrpc_value *array, size_t index)
{
    xmlrpc_value *found = NULL;
    xmlrpc_env env;

    xmlrpc_env_init(&env);
    xmlrpc_array_read_item(&env, array, (unsigned)index, &found);
    cr_assert(!env.fault_occurred, "%s", env.fault_string);
    xmlrpc_env_clean(&env);
    return found;
}
