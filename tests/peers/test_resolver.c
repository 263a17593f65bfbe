#include "peers/resolver.h"

#include "loop/loop.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* A fake name service. The first letters of a name select its result:
 *   mute     blocks until the test posts `may_answer`, then 192.0.2.1
 *   absent   unknown name
 *   failing  the name server does not answer
 *   empty    a name without a usable address
 *   many     ROUTE_ADDRESSES_MAX addresses
 *   anything else has 192.0.2.1, or what `answer_with` says */
static struct peers_resolver *resolver;
static sem_t may_answer, asked, answered;
static _Atomic unsigned look_ups;
static _Atomic unsigned answer_with;

static bool begins(const char *host, const char *with)
{
    return strncmp(host, with, strlen(with)) == 0;
}

static enum err fake_look_up(const char *host, struct address *addresses, unsigned *count)
{
    atomic_fetch_add(&look_ups, 1);
    sem_post(&asked);
    *count = 0;
    if (begins(host, "mute"))
        sem_wait(&may_answer);
    if (begins(host, "absent"))
        return ERR_UNRESOLVED;
    if (begins(host, "failing"))
        return ERR_NAME_SERVER;
    if (begins(host, "empty"))
        return ERR_UNRESOLVED;
    *count = begins(host, "many") ? ROUTE_ADDRESSES_MAX : 1;
    for (unsigned i = 0; i < *count; i++) {
        char ip[32];

        snprintf(ip, sizeof ip, "192.0.2.%u", atomic_load(&answer_with) + i);
        address_from_ip_text(&addresses[i], ip, 0);
    }
    return ERR_OK;
}

/* Interposed system functions that fail on demand. */
static int gai_status; /* 0: the real function is called */
static atomic_bool is_pthread_create_failing;
static sem_t refused;

int getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                struct addrinfo **list)
{
    int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **) =
        (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(
            RTLD_NEXT, "getaddrinfo");

    return gai_status != 0 ? gai_status : real(host, service, hints, list);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
                   void *arg)
{
    int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
        (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(
            RTLD_NEXT, "pthread_create");

    if (!atomic_load(&is_pthread_create_failing))
        return real(thread, attributes, start, arg);
    sem_post(&refused);
    return EAGAIN;
}

enum { SLOTS = 4, NEVER_MS = 3600000 };

static struct peers_resolver_config config = {.look_up = fake_look_up,
                                              .slots = SLOTS,
                                              .limit_ms = NEVER_MS,
                                              .failed_ms = NEVER_MS,
                                              .kept_ms = NEVER_MS};

static void start_resolver(void)
{
    cr_assert_eq(peers_resolver_open(&resolver, &config), ERR_OK);
    cr_assert_eq(peers_resolver_start(resolver), ERR_OK);
}

static void prepare(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    sem_init(&may_answer, 0, 0);
    sem_init(&asked, 0, 0);
    sem_init(&answered, 0, 0);
    atomic_store(&answer_with, 1);
}

static void close_resolver(void)
{
    peers_resolver_stop(resolver);
    peers_resolver_close(&resolver);
}

TestSuite(resolver, .init = prepare, .fini = close_resolver, .timeout = 30);

struct pending_query {
    struct route route;
    enum err result;
    bool is_answered;
    unsigned place; /* among all answers */
};

static void on_answer(void *ctx, void *what, enum err e)
{
    static unsigned answers; /* the resolver's thread alone calls this */
    struct pending_query *a = what;

    (void)ctx;
    a->place = ++answers;
    a->result = e;
    a->is_answered = true;
    sem_post(&answered);
}

static void post(struct pending_query *a, const char *host, uint16_t port)
{
    *a = (struct pending_query){.route = {.contact = {.port = port}}};
    snprintf(a->route.contact.host, sizeof a->route.contact.host, "%s", host);
    cr_assert_eq(peers_resolver_resolve(resolver, &a->route, on_answer, NULL, a), ERR_OK);
}

static void wait_for(sem_t *what, unsigned times)
{
    while (times-- > 0)
        sem_wait(what);
}

static struct pending_query resolve(const char *host, uint16_t port)
{
    static struct pending_query a;

    post(&a, host, port);
    wait_for(&answered, 1);
    return a;
}

static const char *first_of(const struct pending_query *a)
{
    static char text[ADDRESS_TEXT_SIZE];

    return address_text(text, &a->route.addresses[0]);
}

static int waiting_answers(void)
{
    int value;

    sem_getvalue(&answered, &value);
    return value;
}

Test(resolver, every_kind_of_answer)
{
    static const struct {
        const char *host;
        enum err result;
        unsigned count;
    } rows[] = {
        {"good.example", ERR_OK, 1},
        {"many.example", ERR_OK, ROUTE_ADDRESSES_MAX},
        {"absent.example", ERR_UNRESOLVED, 0},
        {"failing.example", ERR_NAME_SERVER, 0},
        {"empty.example", ERR_UNRESOLVED, 0},
        {"g", ERR_OK, 1},
        {"Good.Example", ERR_OK, 1},
        {"good.example.", ERR_OK, 1},
        {"xn--bcher-kva.example", ERR_OK, 1},
        {"a_b-c.example", ERR_OK, 1},
        {"0", ERR_OK, 1},
    };

    start_resolver();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pending_query a = resolve(rows[i].host, 4711);

        cr_expect_eq(a.result, rows[i].result, "%s: %s", rows[i].host, err_name(a.result));
        cr_expect_eq(a.route.address_count, rows[i].count, "%s", rows[i].host);
        for (unsigned j = 0; j < a.route.address_count; j++)
            cr_expect_eq(a.route.addresses[j].port, 4711, "%s", rows[i].host);
    }
}

Test(resolver, a_mute_name_blocks_no_other)
{
    struct pending_query mute[SLOTS - 1];
    char host[32];

    start_resolver();
    for (unsigned i = 0; i < SLOTS - 1; i++) {
        snprintf(host, sizeof host, "mute-%u", i);
        post(&mute[i], host, 1);
    }
    for (unsigned i = 0; i < 10; i++) {
        struct pending_query a;

        snprintf(host, sizeof host, "good-%u", i);
        a = resolve(host, 1);
        cr_expect_eq(a.result, ERR_OK, "%s", host);
    }
    for (unsigned i = 0; i < SLOTS - 1; i++)
        cr_expect_not(mute[i].is_answered);
    for (unsigned i = 0; i < SLOTS - 1; i++)
        sem_post(&may_answer);
    wait_for(&answered, SLOTS - 1);
}

Test(resolver, concurrent_queries_share_one_look_up)
{
    enum { MANY = 1000 };
    static struct pending_query queries[MANY];

    start_resolver();
    for (unsigned i = 0; i < MANY; i++)
        post(&queries[i], "mute.example", (uint16_t)(i + 1));
    wait_for(&asked, 1);
    sem_post(&may_answer);
    wait_for(&answered, MANY);
    cr_expect_eq(atomic_load(&look_ups), 1);
    for (unsigned i = 0; i < MANY; i++) {
        cr_expect_eq(queries[i].result, ERR_OK);
        cr_expect_eq(queries[i].route.addresses[0].port, i + 1, "each has its own port");
    }
}

Test(resolver, more_names_than_slots_wait_for_one)
{
    struct pending_query queries[SLOTS + 3];
    char host[32];

    start_resolver();
    for (unsigned i = 0; i < SLOTS + 3; i++) {
        snprintf(host, sizeof host, "mute-%u", i);
        post(&queries[i], host, 1);
    }
    wait_for(&asked, SLOTS);
    cr_expect_eq(atomic_load(&look_ups), SLOTS);
    for (unsigned i = 0; i < SLOTS + 3; i++)
        sem_post(&may_answer);
    wait_for(&answered, SLOTS + 3);
    cr_expect_eq(atomic_load(&look_ups), SLOTS + 3);
    for (unsigned i = 0; i < SLOTS + 3; i++)
        cr_expect_eq(queries[i].result, ERR_OK);
}

Test(resolver, a_query_fails_at_the_limit_and_the_look_up_continues)
{
    struct pending_query a;

    config.limit_ms = 20;
    config.failed_ms = 1;
    start_resolver();
    a = resolve("mute.example", 1);
    cr_expect_eq(a.result, ERR_NAME_SERVER);
    a = resolve("mute.example", 1); /* joins it */
    cr_expect_eq(a.result, ERR_NAME_SERVER);
    cr_expect_eq(atomic_load(&look_ups), 1);
    sem_post(&may_answer);
    do
        a = resolve("mute.example", 1);
    while (a.result != ERR_OK);
    cr_expect_eq(atomic_load(&look_ups), 1, "its late result is used");
}

/* The query for `host` is refused before the later one for "good.example" is answered from the
 * cache. */
static void refused_before_cached(const char *host)
{
    static struct pending_query late, known;

    post(&late, host, 1);
    post(&known, "good.example", 1);
    wait_for(&answered, 2);
    cr_expect_eq(late.result, ERR_NAME_SERVER, "%s", host);
    cr_expect_eq(known.result, ERR_OK, "a cached name needs no slot");
    cr_expect_lt(late.place, known.place, "%s", host);
}

/* All slots are stuck: queries for new names fail at once, cached names are still answered. */
Test(resolver, with_all_slots_late_new_names_are_refused_at_once)
{
    struct pending_query stuck[SLOTS], a;
    char host[32];

    config.limit_ms = 20;
    start_resolver();
    do
        a = resolve("good.example", 1);
    while (a.result != ERR_OK);
    for (unsigned i = 0; i < SLOTS; i++) {
        snprintf(host, sizeof host, "mute-%u", i);
        post(&stuck[i], host, 1);
    }
    wait_for(&answered, SLOTS);
    for (unsigned i = 0; i < 10; i++) {
        snprintf(host, sizeof host, "late-%u", i);
        refused_before_cached(host);
    }
    cr_expect_eq(atomic_load(&look_ups), SLOTS + 1);
    for (unsigned i = 0; i < SLOTS; i++)
        sem_post(&may_answer);
    do
        a = resolve("good-again.example", 1);
    while (a.result != ERR_OK);
}

Test(resolver, an_answer_is_cached)
{
    start_resolver();
    for (unsigned i = 0; i < 10; i++) {
        struct pending_query a = resolve("good.example", (uint16_t)(i + 1));

        cr_expect_eq(a.route.addresses[0].port, i + 1);
    }
    cr_expect_eq(atomic_load(&look_ups), 1);
}

Test(resolver, a_failure_is_cached_too)
{
    start_resolver();
    for (unsigned i = 0; i < 5; i++) {
        struct pending_query absent = resolve("absent.example", 1), failing;

        cr_expect_eq(absent.result, ERR_UNRESOLVED);
        failing = resolve("failing.example", 1);
        cr_expect_eq(failing.result, ERR_NAME_SERVER);
    }
    cr_expect_eq(atomic_load(&look_ups), 2);
}

Test(resolver, cached_answers_expire)
{
    struct pending_query a;

    config.kept_ms = config.failed_ms = 1;
    start_resolver();
    do {
        atomic_store(&answer_with, 7);
        a = resolve("good.example", 1);
    } while (strcmp(first_of(&a), "192.0.2.7:1") != 0);
    do {
        atomic_store(&answer_with, 8);
        a = resolve("good.example", 1);
    } while (strcmp(first_of(&a), "192.0.2.8:1") != 0);
    resolve("absent.example", 1);
    while (atomic_load(&look_ups) < 5)
        resolve("absent.example", 1);
}

/* How the address can have changed when a connect failed: no row is answered from the cache. */
Test(resolver, after_a_failed_connect_the_name_is_looked_up_again)
{
    static const struct {
        unsigned before, after;
    } rows[] = {{1, 2},  {2, 1},  {1, 1}, {1, 200}, {200, 1},
                {9, 10}, {10, 9}, {3, 4}, {4, 5},   {5, 3}};

    start_resolver();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char expected[32];
        struct pending_query a;

        peers_resolver_forget(resolver, "good.example");
        atomic_store(&answer_with, rows[i].before);
        resolve("good.example", 1);
        peers_resolver_forget(resolver, "good.example");
        atomic_store(&answer_with, rows[i].after);
        a = resolve("good.example", 1);
        snprintf(expected, sizeof expected, "192.0.2.%u:1", rows[i].after);
        cr_expect_str_eq(first_of(&a), expected, "row %zu", i);
    }
}

Test(resolver, a_name_forgotten_during_its_look_up_is_not_cached)
{
    struct pending_query a;

    start_resolver();
    post(&a, "mute.example", 1);
    wait_for(&asked, 1);
    peers_resolver_forget(resolver, "mute.example");
    sem_post(&may_answer);
    wait_for(&answered, 1);
    cr_expect_eq(a.result, ERR_OK);
    sem_post(&may_answer);
    atomic_store(&answer_with, 2);
    a = resolve("mute.example", 1);
    cr_expect_str_eq(first_of(&a), "192.0.2.2:1");
}

Test(resolver, forgetting_an_unknown_name_is_a_no_op)
{
    start_resolver();
    peers_resolver_forget(resolver, "never.asked.example");
    resolve("absent.example", 1);
    peers_resolver_forget(resolver, "absent.example"); /* a cached failure stays */
    resolve("absent.example", 1);
    cr_expect_eq(atomic_load(&look_ups), 1);
}

Test(resolver, a_stop_does_not_wait_for_look_ups)
{
    struct pending_query stuck[SLOTS + 2];
    char host[32];

    start_resolver();
    for (unsigned i = 0; i < SLOTS + 2; i++) {
        snprintf(host, sizeof host, "mute-%u", i);
        post(&stuck[i], host, 1);
    }
    wait_for(&asked, SLOTS);
    peers_resolver_stop(resolver);
    cr_expect_eq(waiting_answers(), SLOTS + 2);
    for (unsigned i = 0; i < SLOTS + 2; i++)
        cr_expect_eq(stuck[i].result, ERR_CLOSED);
    cr_expect_eq(peers_resolver_resolve(resolver, &stuck[0].route, on_answer, NULL, &stuck[0]),
                 ERR_CLOSED);
    peers_resolver_forget(resolver, "mute-0");
    peers_resolver_close(&resolver);
    for (unsigned i = 0; i < SLOTS; i++)
        sem_post(&may_answer); /* look-ups that outlived the resolver end by themselves */
    cr_assert_eq(peers_resolver_open(&resolver, &config), ERR_OK);
}

/* Cancels. */

static sem_t handled;
static bool was_any;
static const char *wanted;

static bool is_wanted(const void *ctx, const void *what)
{
    const struct pending_query *a = what;

    return strcmp(ctx, a->route.contact.host) == 0;
}

static void on_message(void *ctx, struct message *m)
{
    (void)ctx, (void)m;
    was_any = peers_resolver_cancel(resolver, on_answer, is_wanted, wanted);
    sem_post(&handled);
}

static bool cancel(const char *host)
{
    static struct message m;

    wanted = host;
    peers_resolver_post(resolver, &m);
    wait_for(&handled, 1);
    return was_any;
}

Test(resolver, queries_can_be_cancelled_with_and_without_a_slot)
{
    struct pending_query queries[SLOTS + 2];
    char host[32];

    sem_init(&handled, 0, 0);
    config.on_message = on_message;
    start_resolver();
    for (unsigned i = 0; i < SLOTS + 2; i++) {
        snprintf(host, sizeof host, "mute-%u", i);
        post(&queries[i], host, 1);
    }
    cr_expect_not(cancel("good.example"));
    for (unsigned i = 0; i < SLOTS + 2; i++) {
        snprintf(host, sizeof host, "mute-%u", i);
        cr_expect(cancel(host), "%s", host);
        cr_expect_eq(queries[i].result, ERR_CANCELLED, "%s", host);
        cr_expect_not(cancel(host), "%s: once", host);
    }
    cr_expect_eq(waiting_answers(), SLOTS + 2);
    for (unsigned i = 0; i < SLOTS; i++)
        sem_post(&may_answer);
}

Test(resolver, the_system_look_up_accepts_numeric_addresses)
{
    struct address addresses[ROUTE_ADDRESSES_MAX];
    char text[ADDRESS_TEXT_SIZE];
    unsigned count;

    config.look_up = peers_resolver_look_up;
    start_resolver();
    cr_assert_eq(peers_resolver_look_up("192.0.2.1", addresses, &count), ERR_OK);
    cr_expect_eq(count, 1);
    cr_expect_str_eq(address_ip_text(text, &addresses[0]), "192.0.2.1");
    cr_expect_neq(peers_resolver_look_up("a..b", addresses, &count), ERR_OK);
    cr_expect_eq(count, 0);
}

Test(resolver, a_name_server_error_is_not_an_unknown_name)
{
    static const struct {
        const char *name;
        int status;
        enum err result;
    } rows[] = {
        {"EAI_AGAIN", EAI_AGAIN, ERR_NAME_SERVER},
        {"EAI_NONAME", EAI_NONAME, ERR_UNRESOLVED},
        {"EAI_NODATA", EAI_NODATA, ERR_UNRESOLVED},
        {"EAI_FAIL", EAI_FAIL, ERR_UNRESOLVED},
        {"EAI_ADDRFAMILY", EAI_ADDRFAMILY, ERR_UNRESOLVED},
        {"EAI_FAMILY", EAI_FAMILY, ERR_UNRESOLVED},
        {"EAI_SERVICE", EAI_SERVICE, ERR_UNRESOLVED},
        {"EAI_SOCKTYPE", EAI_SOCKTYPE, ERR_UNRESOLVED},
        {"EAI_OVERFLOW", EAI_OVERFLOW, ERR_UNRESOLVED},
        {"EAI_SYSTEM", EAI_SYSTEM, ERR_UNRESOLVED},
        {"EAI_MEMORY", EAI_MEMORY, ERR_NO_MEMORY},
    };

    config.look_up = peers_resolver_look_up;
    start_resolver();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct address addresses[ROUTE_ADDRESSES_MAX];
        unsigned count = 1;

        gai_status = rows[i].status;
        cr_expect_eq(peers_resolver_look_up("any.example", addresses, &count), rows[i].result, "%s",
                     rows[i].name);
        cr_expect_eq(count, 0, "%s", rows[i].name);
    }
}

Test(resolver, without_a_thread_a_name_waits_for_another_look_up_to_finish)
{
    struct pending_query mute, good, again;

    sem_init(&refused, 0, 0);
    start_resolver();
    post(&mute, "mute.example", 1);
    wait_for(&asked, 1);
    atomic_store(&is_pthread_create_failing, true);
    post(&good, "good.example", 1);
    wait_for(&refused, 1);
    cr_expect_eq(waiting_answers(), 0);
    atomic_store(&is_pthread_create_failing, false);
    sem_post(&may_answer);
    wait_for(&answered, 2);
    cr_expect_eq(mute.result, ERR_OK);
    cr_expect_eq(good.result, ERR_OK);
    atomic_store(&is_pthread_create_failing, true);
    again = resolve("alone.example", 1);
    cr_expect_eq(again.result, ERR_THREADS, "no running look-up to wait for");
    atomic_store(&is_pthread_create_failing, false);
    again = resolve("alone.example", 1);
    cr_expect_eq(again.result, ERR_OK, "that failure is not cached");
}
