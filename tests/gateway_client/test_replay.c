/* Unreported results of the previous run, without a remote gateway. tests/system/test_gateway.py
 * covers a remote one. */
#include "gateway_client/replay.h"

#include "gateway/event.h"
#include "support/folders.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[64];
static struct inbox *inbox;
static struct committer *committer;
static struct mailbox *keeper;
static struct event_sink *events;
static struct event *reported;

static void open_all(void)
{
    char problem[512] = "";

    cr_assert_eq(inbox_open(&inbox, folder, DURABILITY_NONE, 1 << 20, problem, sizeof problem),
                 ERR_OK, "%s", problem);
    cr_assert_eq(committer_open(&committer, inbox), ERR_OK);
}

static void close_all(void)
{
    committer_close(&committer);
    inbox_close(&inbox);
}

static void run_committer(void)
{
    cr_assert_eq(committer_start(committer), ERR_OK);
    committer_stop(committer);
}

static void handle_event(struct message *m, void *owner)
{
    (void)owner;
    event_free(&reported);
    reported = (struct event *)(void *)m;
}

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/dustwire-replay-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(mailbox_open(&keeper, 8, NULL), ERR_OK);
    cr_assert_eq(event_sink_open(&events), ERR_OK);
    event_sink_connect(events, keeper, handle_event);
    open_all();
}

static void end(void)
{
    close_all();
    event_free(&reported);
    event_sink_close(&events);
    mailbox_close(&keeper);
    folders_remove(folder);
}

static void committed(struct message *m, void *owner)
{
    (void)owner;
    cr_assert_eq(((struct commit_request *)(void *)m)->request.result, ERR_OK);
}

/* An acknowledged file, received by `proto`; the daemon stops before the report. */
static void receive(const char *proto)
{
    struct commit_request r = {.kind = COMMIT_FILE, .request = {.on_answer = committed}};

    cr_assert_eq(inbox_partial_file_begin(inbox, 5, &r.file), ERR_OK);
    cr_assert_eq(inbox_partial_file_write(&r.file, "hello", 5), ERR_OK);
    r.record = (struct journal_file){
        .transfer_id = 7, .size_bytes = 5, .proto = proto, .idurl = "http://example.net/a.xml"};
    committer_submit(committer, &r);
    run_committer();
    close_all();
    open_all();
}

static void replay(void)
{
    struct gateway_client_replay pending = {
        .inbox = inbox, .committer = committer, .events = events};

    gateway_client_replay_report(&pending);
    mailbox_drain(keeper);
    run_committer();
}

Test(gateway_client_replay, reports_a_file_once_with_the_transport_that_received_it, .init = begin,
     .fini = end, .timeout = 20)
{
    receive("udp");
    replay();
    cr_assert_not_null(reported);
    cr_assert_eq(reported->kind, EVENT_RECEIVING_ENDED);
    cr_assert_eq(reported->transfer_id, 7);
    cr_assert_str_eq(reported->proto, "udp");
    cr_assert_str_eq(reported->status, "finished");
    event_free(&reported);
    close_all();
    open_all();
    replay();
    cr_assert_null(reported);
}
