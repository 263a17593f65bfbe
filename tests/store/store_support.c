#include "store/store_support.h"

#include "loop/mailbox.h"
#include "store/inbox/received.h"
#include "store/inbox/state.h"
#include "store/journal/journal.h"
#include "store/journal/record.h"
#include "support/folders.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char scratch[SCRATCH_SIZE], inbox_path[SCRATCH_SIZE + 16];
struct inbox *inbox;

static void scratch_below(const char *directory)
{
    snprintf(scratch, sizeof scratch, "%s/dustwire-store-XXXXXX", directory);
    cr_assert_not_null(mkdtemp(scratch));
    snprintf(inbox_path, sizeof inbox_path, "%s/inbox", scratch);
}

void make_scratch(void)
{
    const char *directory = getenv("TMPDIR");

    scratch_below(directory == NULL ? "/tmp" : directory);
}

void make_scratch_on_disk(void)
{
    char here[SCRATCH_SIZE - 64]; /* ctest runs in the build directory */

    cr_assert_not_null(getcwd(here, sizeof here));
    scratch_below(here);
}

void remove_tree(const char *path)
{
    folders_remove(path);
}

void remove_scratch(void)
{
    inbox_close(&inbox);
    remove_tree(scratch);
}

void open_inbox(enum durability durability, uint64_t limit_bytes)
{
    char problem[512] = "";
    enum err e = inbox_open(&inbox, inbox_path, durability, limit_bytes, problem, sizeof problem);

    cr_assert_eq(e, ERR_OK, "%s", problem);
}

void reopen_inbox(enum durability durability)
{
    inbox_close(&inbox);
    open_inbox(durability, LIMIT_BYTES);
}

struct waiting_for {
    size_t answers;
};

static void count_answer(struct message *m, void *owner)
{
    struct waiting_for *waiting = owner;

    (void)m;
    waiting->answers++;
}

void commit_all(struct commit_request *requests, size_t count)
{
    struct waiting_for waiting = {0};
    struct committer *committer;
    struct mailbox *box;

    cr_assert_eq(mailbox_open(&box, 1, &waiting), ERR_OK);
    cr_assert_eq(committer_open(&committer, inbox), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        requests[i].request.answer_to = box;
        requests[i].request.on_answer = count_answer;
        committer_start_writeback(committer, &requests[i].file); /* as a file's owner does */
        committer_submit(committer, &requests[i]);
    }
    cr_assert_eq(committer_start(committer), ERR_OK);
    while (waiting.answers < count) {
        struct pollfd bell = {.fd = mailbox_fd(box), .events = POLLIN};

        poll(&bell, 1, -1);
        mailbox_drain(box);
    }
    committer_stop(committer);
    mailbox_drain(box);
    cr_assert_eq(waiting.answers, count);
    committer_close(&committer);
    mailbox_close(&box);
}

struct commit_request written_file(uint32_t transfer_id, const void *bytes, size_t length)
{
    struct commit_request r = {.kind = COMMIT_FILE};

    cr_assert_eq(inbox_partial_file_begin(inbox, length, &r.file), ERR_OK);
    cr_assert_eq(inbox_partial_file_write(&r.file, bytes, length), ERR_OK);
    r.record = (struct journal_file){.transfer_id = transfer_id,
                                     .size_bytes = length,
                                     .started_us = 1,
                                     .proto = "tcp",
                                     .idurl = "http://example.net/alice.xml"};
    cr_assert_eq(address_from_ip_text(&r.record.peer, "192.0.2.7", 7771), ERR_OK);
    memcpy(r.record.name, r.file.name, sizeof r.record.name);
    return r;
}

void commit_file(uint32_t transfer_id, const char *text)
{
    struct commit_request r = written_file(transfer_id, text, strlen(text));

    commit_all(&r, 1);
    cr_assert_eq(r.request.result, ERR_OK);
}

void mark_reported(uint32_t transfer_id)
{
    struct commit_request r = {.kind = COMMIT_REPORTED, .record = {.transfer_id = transfer_id}};

    commit_all(&r, 1);
    cr_assert_eq(r.request.result, ERR_OK);
}

struct asked_once {
    received_row_fn *each;
    void *ctx;
};

static void call_back(void *ctx, const struct journal_file *record, bool is_reported, bool is_there)
{
    const struct asked_once *asked = ctx;

    (void)is_there;
    asked->each(asked->ctx, record, is_reported);
}

enum err inbox_each_received(struct inbox *from, int64_t since_us, size_t offset, size_t limit,
                             received_row_fn *each, void *ctx)
{
    const struct inbox_received_query query = {
        .since_us = since_us, .offset = offset, .limit = limit};
    static const atomic_bool is_stopping;
    struct asked_once asked = {each, ctx};
    struct inbox_received *received;
    enum err e;

    cr_assert_eq(inbox_received_open(&received, from, &is_stopping), ERR_OK);
    e = inbox_received_each(received, &query, call_back, &asked);
    inbox_received_close(&received);
    return e;
}

void journal_file_only(const struct commit_request *r)
{
    struct journal_record record = {.kind = JOURNAL_RECORD_FILE, .file = r->record};

    cr_assert_eq(journal_add(inbox->journal, &record), ERR_OK);
    cr_assert_eq(journal_write(inbox->journal), ERR_OK);
}

bool is_in_inbox(const char *name, const void *bytes, size_t length)
{
    int fd = openat(inbox->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    struct stat status;
    char *is;
    bool is_equal;

    if (fd < 0)
        return false;
    is = malloc(length + 1);
    is_equal = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
               (status.st_mode & 07777) == 0600 && read(fd, is, length + 1) == (ssize_t)length &&
               memcmp(is, bytes, length) == 0;
    free(is);
    close(fd);
    return is_equal;
}

bool is_partial(const char *name)
{
    return faccessat(inbox->partial_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
           faccessat(inbox->second_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void see(void *ctx, const struct journal_file *record, bool is_finished)
{
    struct unreported_seen *seen = ctx;

    if (is_finished)
        seen->finished++;
    else
        seen->failed++;
    seen->last_id = record->transfer_id;
    snprintf(seen->last_proto, sizeof seen->last_proto, "%s", record->proto);
}

struct unreported_seen unreported_now(void)
{
    struct unreported_seen seen = {0};

    inbox_each_unreported(inbox, see, &seen);
    return seen;
}
