/* What the last run left owed, without a gateway. That a real one is told of it is for
 * tests/system/test_gateway.py. */
#include "gateway_client/replay.h"

#include "gateway/event.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[64];
static struct inbox *inbox;
static struct committer *committer;
static struct mailbox *keeper;
static struct event_sink *events;
static struct event *told;

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

static void take(struct message *m, void *owner)
{
    (void)owner;
    event_free(&told);
    told = (struct event *)(void *)m;
}

static void begin(void)
{
    snprintf(folder, sizeof folder, "/tmp/dustwire-replay-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    cr_assert_eq(mailbox_open(&keeper, 8, NULL), ERR_OK);
    cr_assert_eq(event_sink_open(&events), ERR_OK);
    event_sink_connect(events, keeper, take);
    open_all();
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status, (void)type, (void)at;
    return remove(path);
}

static void end(void)
{
    close_all();
    event_free(&told);
    event_sink_close(&events);
    mailbox_close(&keeper);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void committed(struct message *m, void *owner)
{
    (void)owner;
    cr_assert_eq(((struct commit_request *)(void *)m)->request.result, ERR_OK);
}

/* A file that came by `proto`, acknowledged; the daemon ends before the report. */
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
    struct gateway_client_replay owed = {.inbox = inbox, .committer = committer, .events = events};

    gateway_client_replay_report(&owed);
    mailbox_drain(keeper);
    run_committer();
}

Test(gateway_client_replay, tells_once_of_a_file_and_of_the_transport_that_it_came_by,
     .init = begin, .fini = end, .timeout = 20)
{
    receive("udp");
    replay();
    cr_assert_not_null(told);
    cr_assert_eq(told->kind, EVENT_RECEIVING_ENDED);
    cr_assert_eq(told->transfer_id, 7);
    cr_assert_str_eq(told->proto, "udp");
    cr_assert_str_eq(told->status, "finished");
    event_free(&told);
    close_all();
    open_all();
    replay();
    cr_assert_null(told);
}
