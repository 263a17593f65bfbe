#include "tcp/tcp_interface.h"

#include "base/text.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A transport with its threads that never got its connect: it serves nobody. */

static char folder[64];
static struct event_sink *events;
static struct gateway *gateway;
static struct inbox *inbox;
static struct committer *committer;
static struct tcp_interface *tcp;
static sem_t answered;

static void open_it(void)
{
    struct tcp_interface_config config = {0};
    char problem[512];

    snprintf(folder, sizeof folder, "/tmp/dw-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    sem_init(&answered, 0, 0);
    cr_assert_eq(event_sink_open(&events), ERR_OK);
    cr_assert_eq(gateway_open(&gateway, events), ERR_OK);
    cr_assert_eq(inbox_open(&inbox, folder, DURABILITY_NONE, 1 << 20, problem, sizeof problem),
                 ERR_OK, "%s", problem);
    cr_assert_eq(committer_open(&committer, inbox), ERR_OK);
    cr_assert_eq(committer_start(committer), ERR_OK);
    settings_default(&config.settings);
    config.settings.workers.mailbox_limit = 2;
    config.settings.workers.threads = 1;
    config.gateway = gateway;
    config.events = events;
    config.inbox = inbox;
    config.committer = committer;
    cr_assert_eq(tcp_interface_open(&tcp, &config), ERR_OK);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
    (void)status, (void)kind, (void)ftw;
    return remove(path);
}

/* tcp_interface_close asserts that nobody holds a place in the directory any more. */
static void close_it(void)
{
    tcp_interface_stop(tcp);
    tcp_interface_close(&tcp);
    committer_stop(committer);
    committer_close(&committer);
    inbox_close(&inbox);
    gateway_close(&gateway);
    event_sink_close(&events);
    sem_destroy(&answered);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void count_answer(struct message *m, void *owner)
{
    (void)m, (void)owner;
    sem_post(&answered);
}

static void set_contact(struct route *route, uint16_t port)
{
    route->contact = (struct contact){.proto = "tcp", .host = "127.0.0.1", .port = port};
}

Test(tcp_review, a_send_to_a_transport_that_is_down_keeps_no_place, .timeout = 10)
{
    struct send_request *send = calloc(1, sizeof *send);

    open_it();
    cr_assert_eq(tcp_interface_start(tcp), ERR_OK);
    send->request.on_answer = count_answer;
    send->filename = text_dup("/f", 2);
    set_contact(&send->route, 9);
    tcp_transport_ops.send_file(tcp, send);
    sem_wait(&answered);
    cr_assert_eq(send->status, TRANSFER_FAILED);
    cr_assert_str_eq(send->error, "disconnected");
    send_request_free(&send);
    close_it();
}

Test(tcp_review, a_connect_that_a_full_mailbox_refuses_keeps_no_place, .timeout = 10)
{
    struct host_request requests[4] = {0};
    unsigned full = 0;

    open_it();
    for (unsigned i = 0; i < 4; i++) { /* nobody reads the mail yet */
        requests[i].request.on_answer = count_answer;
        set_contact(&requests[i].route, (uint16_t)(10 + i));
        tcp_transport_ops.connect_to(tcp, &requests[i]);
    }
    cr_assert_eq(tcp_interface_start(tcp), ERR_OK);
    for (unsigned i = 0; i < 4; i++) {
        sem_wait(&answered);
    }
    for (unsigned i = 0; i < 4; i++)
        full += requests[i].request.result == ERR_FULL;
    cr_assert_eq(full, 2);
    close_it();
}
