#include "tcp/resolver.h"

#include <criterion/criterion.h>
#include <semaphore.h>
#include <stdio.h>

static struct resolver *resolver;
static sem_t answered;
static enum err result;
static void *seen_what;

static void open_resolver(void)
{
    log_set_level(LOG_LEVEL_ERROR);
    sem_init(&answered, 0, 0);
    cr_assert_eq(resolver_open(&resolver), ERR_OK);
    cr_assert_eq(resolver_start(resolver), ERR_OK);
}

static void close_resolver(void)
{
    resolver_stop(resolver);
    resolver_close(&resolver);
}

TestSuite(resolver, .init = open_resolver, .fini = close_resolver, .timeout = 30);

static void on_answer(void *ctx, void *what, enum err e)
{
    (void)ctx;
    result = e;
    seen_what = what;
    sem_post(&answered);
}

static enum err ask(struct route *route, const char *host, uint16_t port)
{
    *route = (struct route){.contact = {.port = port}};
    snprintf(route->contact.host, sizeof route->contact.host, "%s", host);
    cr_assert_eq(resolver_ask(resolver, route, on_answer, NULL, route), ERR_OK);
    sem_wait(&answered);
    cr_expect_eq(seen_what, route);
    return result;
}

Test(resolver, localhost_has_a_loopback_address_with_the_contacts_port)
{
    struct route route;

    cr_assert_eq(ask(&route, "localhost", 4711), ERR_OK);
    cr_assert_geq(route.address_count, 1);
    for (unsigned i = 0; i < route.address_count; i++) {
        cr_expect(address_is_loopback(&route.addresses[i]));
        cr_expect_eq(route.addresses[i].port, 4711);
    }
}

Test(resolver, an_answer_that_is_kept_takes_the_port_of_each_asker)
{
    struct route first, second;

    cr_assert_eq(ask(&first, "localhost", 1), ERR_OK);
    cr_assert_eq(ask(&second, "localhost", 2), ERR_OK);
    cr_expect_eq(second.address_count, first.address_count);
    cr_expect_eq(second.addresses[0].port, 2);
    cr_expect(address_is_same_ip(&first.addresses[0], &second.addresses[0]));
}

Test(resolver, a_numeric_host_is_its_own_answer)
{
    struct route route;
    char text[ADDRESS_TEXT_SIZE];

    cr_assert_eq(ask(&route, "192.0.2.1", 7771), ERR_OK);
    cr_expect_eq(route.address_count, 1);
    cr_expect_str_eq(address_text(text, &route.addresses[0]), "192.0.2.1:7771");
}

Test(resolver, a_name_that_does_not_exist_is_unresolved)
{
    struct route route;

    cr_expect_eq(ask(&route, "nobody.invalid", 7771), ERR_UNRESOLVED);
    cr_expect_eq(route.address_count, 0);
}

Test(resolver, what_was_asked_before_a_stop_is_answered)
{
    struct route routes[20];
    int value;

    for (int i = 0; i < 20; i++) {
        routes[i] = (struct route){.contact = {.host = "localhost", .port = 1}};
        cr_assert_eq(resolver_ask(resolver, &routes[i], on_answer, NULL, &routes[i]), ERR_OK);
    }
    resolver_stop(resolver);
    sem_getvalue(&answered, &value);
    cr_expect_eq(value, 20);
}
