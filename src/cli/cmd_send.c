/* send: at most IN_FLIGHT files are submitted at a time; `send_wait` returns which are completed,
 * and on a terminal `list_streams` the progress of the others. The daemon does the rest. */
#include "cli/cmd_send.h"

#include "base/clock.h"
#include "base/text.h"
#include "cli/client.h"
#include "cli/cmd_spool.h"
#include "cli/contact.h"
#include "cli/exit.h"
#include "cli/file_list.h"
#include "cli/format.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    IN_FLIGHT = 64,
    WAIT_MS = 1000,
    SHOW_MS = 200,
    CANCEL_WAITS = 5, /* of WAIT_MS; a clock would count pauses */
    LINE_SIZE = 256
};

struct sending {
    struct cli *cli;
    char *contact;
    struct cli_files files;
    size_t next; /* the first file not submitted yet */
    size_t flight[IN_FLIGHT];
    size_t flight_count;
    unsigned finished, failed, skipped, unknown;
    uint64_t total_bytes;     /* without failed and skipped files */
    uint64_t completed_bytes; /* of finished files */
    bool is_terminal;
    size_t line_length;  /* of the progress line on the terminal */
    bool is_lost;        /* the connection to the daemon */
    uint64_t checked_ms; /* last progress poll */
    uint64_t shown_ms, shown_bytes;
    double speed;
};

/* Spaces instead of an escape sequence, which not every terminal supports (TERM=dumb). */
static void put_line(struct sending *s, const char *line)
{
    char text[2 * LINE_SIZE];
    size_t length = strlen(line);
    int space = s->line_length > length ? (int)(s->line_length - length) : 0;

    snprintf(text, sizeof text, "\r%s%*s%s", line, space, "", length == 0 ? "\r" : "");
    cli_output_raw(text);
    s->line_length = length;
}

static void clear_line(struct sending *s)
{
    if (s->line_length > 0)
        put_line(s, "");
}

static const char *status_word(const struct cli_file *file)
{
    switch (file->state) {
    case FILE_FINISHED:
        return "finished";
    case FILE_UNKNOWN:
        return "outcome unknown";
    case FILE_SKIPPED:
        return "skipped";
    case FILE_PENDING:
        return "not sent";
    default:
        return "failed";
    }
}

static const char *reason_of(const struct cli_file *file)
{
    if (file->error != NULL && file->error[0] != '\0')
        return file->error;
    return file->state == FILE_FINISHED ? "" : "no reason given";
}

static void print_result_json(const struct cli_file *file)
{
    json_t *object = json_object();

    json_object_set_new(object, "file", json_string_nocheck(file->name));
    json_object_set_new(object, "status", json_string(status_word(file)));
    json_object_set_new(object, "bytes", json_integer((json_int_t)file->done_bytes));
    json_object_set_new(object, "seconds", json_real(file->seconds));
    json_object_set_new(object, "error", json_string_nocheck(reason_of(file)));
    cli_print_json(object);
    json_decref(object);
}

static void print_finished(const struct cli_file *file)
{
    char size[TEXT_SIZE_ROOM], speed[TEXT_SIZE_ROOM];
    double seconds = file->seconds > 0.001 ? file->seconds : 0.001;

    cli_put(stdout, file->name);
    printf(": finished, %s in %.1f s (%s/s)\n", text_size(size, file->done_bytes), file->seconds,
           text_size(speed, (uint64_t)((double)file->done_bytes / seconds)));
    fflush(stdout);
}

static void print_result(struct sending *s, const struct cli_file *file)
{
    clear_line(s);
    if (s->cli->is_json) {
        print_result_json(file);
        return;
    }
    if (file->state == FILE_FINISHED) {
        print_finished(file);
        return;
    }
    fputs("dustwire: ", stderr);
    cli_put(stderr, file->name);
    if (file->request_id != 0) { /* the daemon accepted it for the peer */
        fputs(" to ", stderr);
        cli_put(stderr, s->contact);
    }
    fprintf(stderr, ": %s: ", status_word(file));
    cli_put(stderr, reason_of(file));
    fputc('\n', stderr);
}

static void complete_file(struct sending *s, struct cli_file *file)
{
    s->finished += file->state == FILE_FINISHED;
    s->failed += file->state == FILE_FAILED;
    s->skipped += file->state == FILE_SKIPPED;
    s->unknown += file->state == FILE_UNKNOWN;
    if (file->state == FILE_FINISHED)
        s->completed_bytes += file->size_bytes;
    else if (file->path != NULL)
        s->total_bytes -= file->size_bytes;
    print_result(s, file);
}

static void lose_daemon(struct sending *s, const char *reason)
{
    s->is_lost = true;
    for (size_t i = 0; i < s->flight_count; i++) {
        struct cli_file *file = &s->files.files[s->flight[i]];

        cli_file_fail(file, reason);
        file->state = FILE_UNKNOWN;
        complete_file(s, file);
    }
    s->flight_count = 0;
}

/* Sends by path, or by spool ID if the file was streamed. */
static struct cli_reply request_send(struct sending *s, const struct cli_file *file)
{
    static const char *const methods[2][2] = {{"send_file", "send_file_single"},
                                              {"send_spooled", "send_spooled_single"}};
    bool is_spooled = file->spool_id != 0, is_single = (s->cli->given & CLI_SINGLE) != 0;
    struct cli_request request;

    cli_request_init(&request);
    cli_request_text(&request, s->cli->idurl);
    if (is_spooled)
        cli_request_integer(&request, file->spool_id);
    else
        cli_request_text(&request, file->path);
    cli_request_text(&request, s->contact);
    cli_request_text(&request, s->cli->description);
    return cli_call(s->cli->client, methods[is_spooled][is_single], &request, false);
}

/* Reading by the daemon and streaming both failed: report both reasons. */
static void join_problems(struct cli_reply *reply, const char *first)
{
    char *both = NULL;

    if (reply->problem == NULL || first == NULL || strcmp(reply->problem, first) == 0 ||
        asprintf(&both, "%s; %s", first, reply->problem) < 0)
        return;
    free(reply->problem);
    reply->problem = both;
}

/* A file that the daemon cannot read or see is streamed to it, if this process can read it. */
static struct cli_reply send_or_stream(struct sending *s, struct cli_file *file)
{
    struct cli_reply reply = request_send(s, file);
    char *first;

    if (reply.fault != FAULT_FILE || file->spool_id != 0)
        return reply;
    first = reply.problem == NULL ? NULL : strdup(reply.problem);
    if (cli_spool(s->cli->client, file->path, &file->spool_id, &reply) == ERR_OK) {
        cli_reply_fini(&reply);
        reply = request_send(s, file);
    } else {
        join_problems(&reply, first);
    }
    free(first);
    return reply;
}

/* False if no further files can be submitted for now. */
static bool submit_file(struct sending *s, size_t index)
{
    struct cli_file *file = &s->files.files[index];
    struct cli_reply reply = send_or_stream(s, file);

    if (reply.fault == FAULT_FULL && s->flight_count > 0) {
        cli_reply_fini(&reply);
        return false;
    }
    s->next++;
    if (reply.exit_code == CLI_OK) {
        file->request_id = (uint64_t)json_integer_value(reply.answer);
        file->state = FILE_IN_PROGRESS;
        s->flight[s->flight_count++] = index;
    } else {
        const char *reason = reply.problem == NULL ? "out of memory" : reply.problem;

        cli_file_fail(file, reason);
        /* The daemon may have accepted it: only the answer is missing. */
        if (reply.is_cut_off && reply.fault == 0)
            file->state = FILE_UNKNOWN;
        complete_file(s, file);
        if (reply.exit_code == CLI_NOT_SERVING)
            lose_daemon(s, reason);
    }
    cli_reply_fini(&reply);
    return !s->is_lost;
}

static void submit_files(struct sending *s)
{
    while (s->next < s->files.count && s->flight_count < IN_FLIGHT && !cli_is_interrupted()) {
        if (s->files.files[s->next].state != FILE_PENDING)
            complete_file(s, &s->files.files[s->next++]);
        else if (!submit_file(s, s->next))
            return;
    }
}

static void record_outcome(struct cli_file *file, const json_t *outcome)
{
    const char *status = cli_text_of(outcome, "status");

    file->done_bytes = (uint64_t)cli_number_of(outcome, "bytes");
    file->seconds = json_real_value(json_object_get(outcome, "seconds"));
    if (strcmp(status, "finished") == 0) {
        file->state = FILE_FINISHED;
        return;
    }
    cli_file_fail(file, cli_text_of(outcome, "error"));
    if (strcmp(status, "unknown") == 0)
        file->state = FILE_UNKNOWN;
}

static const json_t *find_by(const json_t *list, const char *key, uint64_t id)
{
    const json_t *item;
    size_t i;

    json_array_foreach(list, i, item)
    {
        if ((uint64_t)cli_number_of(item, key) == id)
            return item;
    }
    return NULL;
}

static void record_outcomes(struct sending *s, const json_t *outcomes)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->flight_count; i++) {
        struct cli_file *file = &s->files.files[s->flight[i]];
        const json_t *outcome = find_by(outcomes, "id", file->request_id);

        if (outcome == NULL || !cli_is_true(outcome, "is_done")) {
            s->flight[kept++] = s->flight[i];
            continue;
        }
        record_outcome(file, outcome);
        complete_file(s, file);
    }
    s->flight_count = kept;
}

static struct cli_reply call_for_flight(struct sending *s, const char *method, bool is_list,
                                        int64_t timeout_ms)
{
    uint64_t ids[IN_FLIGHT];
    struct cli_request request;

    for (size_t i = 0; i < s->flight_count; i++)
        ids[i] = s->files.files[s->flight[i]].request_id;
    cli_request_init(&request);
    if (is_list) {
        cli_request_integer(&request, 0);
        cli_request_integer(&request, 200);
    }
    cli_request_ids(&request, ids, s->flight_count);
    if (!is_list)
        cli_request_wait(&request, timeout_ms);
    return cli_call(s->cli->client, method, &request, false);
}

static void wait_for_outcomes(struct sending *s, int64_t timeout_ms)
{
    struct cli_reply reply = call_for_flight(s, "send_wait", false, timeout_ms);

    if (reply.exit_code == CLI_OK)
        record_outcomes(s, reply.answer);
    else
        lose_daemon(s, reply.problem == NULL ? "out of memory" : reply.problem);
    cli_reply_fini(&reply);
}

static unsigned terminal_columns(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* The speed is an exponential moving average. */
static void update_speed(struct sending *s, uint64_t done_bytes)
{
    uint64_t now_ms = clock_mono_ms();
    double seconds = (double)(now_ms - s->shown_ms) / 1000.0, speed;

    if (seconds < 0.05)
        return;
    speed = done_bytes > s->shown_bytes ? (double)(done_bytes - s->shown_bytes) / seconds : 0;
    s->speed = s->speed == 0 ? speed : s->speed * 0.8 + speed * 0.2;
    s->shown_ms = now_ms;
    s->shown_bytes = done_bytes;
}

/* True if the peers have all bytes of the files in flight, and no files are pending. */
static bool is_all_at_peer(const struct sending *s)
{
    for (size_t i = 0; i < s->flight_count; i++) {
        const struct cli_file *file = &s->files.files[s->flight[i]];

        if (file->done_bytes < file->size_bytes)
            return false;
    }
    return s->next == s->files.count && s->flight_count > 0;
}

static void show_progress(struct sending *s)
{
    struct cli_progress p = {.done_files = s->finished + s->failed + s->skipped + s->unknown,
                             .total_files = (unsigned)s->files.count,
                             .total_bytes = s->total_bytes,
                             .done_bytes = s->completed_bytes,
                             .is_waiting = is_all_at_peer(s)};
    char line[LINE_SIZE];

    for (size_t i = 0; i < s->flight_count; i++)
        p.done_bytes += s->files.files[s->flight[i]].done_bytes;
    update_speed(s, p.done_bytes);
    p.bytes_per_second = s->speed;
    cli_progress_line(line, sizeof line, terminal_columns() - 1, &p);
    put_line(s, line);
}

/* Bytes that the peer has acknowledged, if known; else bytes passed to the kernel. */
static uint64_t bytes_at_peer(const json_t *stream)
{
    const char *key =
        json_object_get(stream, "acknowledged") != NULL ? "acknowledged" : "bytes_current";

    return (uint64_t)cli_number_of(stream, key);
}

static void update_progress(struct sending *s)
{
    struct cli_reply reply;
    const json_t *stream;

    if (clock_mono_ms() - s->checked_ms < SHOW_MS)
        return;
    s->checked_ms = clock_mono_ms();
    reply = call_for_flight(s, "list_streams", true, 0);
    for (size_t i = 0; i < s->flight_count && reply.exit_code == CLI_OK; i++) {
        struct cli_file *file = &s->files.files[s->flight[i]];

        stream = find_by(reply.answer, "request_id", file->request_id);
        if (stream != NULL)
            file->done_bytes = bytes_at_peer(stream);
    }
    cli_reply_fini(&reply);
    show_progress(s);
}

static void cancel_flight(struct sending *s)
{
    clear_line(s);
    for (size_t i = 0; i < s->flight_count; i++) {
        struct cli_reply reply;
        struct cli_request request;

        cli_request_init(&request);
        cli_request_integer(&request, (int64_t)s->files.files[s->flight[i]].request_id);
        reply = cli_call(s->cli->client, "cancel_send", &request, false);
        cli_reply_fini(&reply);
    }
    for (size_t waits = 0; s->flight_count > 0 && waits < CANCEL_WAITS; waits++) {
        size_t flight = s->flight_count;

        wait_for_outcomes(s, WAIT_MS);
        if (s->flight_count < flight)
            waits = 0;
    }
    if (s->flight_count > 0)
        lose_daemon(s, "cancellation requested but not confirmed");
}

/* Files that were not submitted: with --json each gets its object, like all files. */
static void report_unsent(struct sending *s)
{
    const char *why = s->is_lost ? "connection to the daemon lost before the file was sent"
                                 : "interrupted before the file was sent";

    for (; s->next < s->files.count; s->next++) {
        struct cli_file *file = &s->files.files[s->next];

        if (file->state != FILE_PENDING) {
            complete_file(s, file);
        } else if (s->cli->is_json) {
            file->error = strdup(why);
            print_result_json(file);
        }
    }
}

static void print_count(FILE *out, unsigned count, const char *what)
{
    if (count > 0)
        fprintf(out, ", %u %s", count, what);
}

/* Printed unless all of several files were sent. */
static void print_summary(const struct sending *s)
{
    unsigned total = (unsigned)s->files.count;
    unsigned completed = s->finished + s->failed + s->skipped + s->unknown;

    if (s->cli->is_json || total <= 1 || s->finished == total)
        return;
    fprintf(stderr, "dustwire: %u finished", s->finished);
    print_count(stderr, s->failed, "failed");
    print_count(stderr, s->skipped, "skipped");
    print_count(stderr, s->unknown, "with unknown outcome");
    print_count(stderr, total - completed, "not sent");
    fputc('\n', stderr);
}

static void run(struct sending *s)
{
    s->shown_ms = clock_mono_ms();
    submit_files(s);
    while (s->flight_count > 0 && !cli_is_interrupted()) {
        if (s->is_terminal)
            update_progress(s);
        wait_for_outcomes(s, s->is_terminal ? SHOW_MS : WAIT_MS);
        if (!s->is_lost)
            submit_files(s);
    }
    if (s->flight_count > 0)
        cancel_flight(s);
    clear_line(s);
    report_unsent(s);
    print_summary(s);
}

static enum cli_exit exit_code_of(const struct sending *s)
{
    if (cli_is_interrupted())
        return CLI_INTERRUPTED;
    if (s->is_lost || s->unknown > 0)
        return CLI_NOT_SERVING;
    if (s->failed == 0 && s->finished == 0)
        fputs("dustwire: no files found\n", stderr);
    return s->failed > 0 || s->finished == 0 ? CLI_FAILED : CLI_OK;
}

static bool exists(const char *name)
{
    struct stat ignored;

    return name[0] == '\0' || lstat(name, &ignored) == 0 ||
           (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG);
}

/* Reports `send FILE FILE` and `send FILE HOST1 HOST2` before anything is sent. */
static bool has_one_contact(const struct cli *cli)
{
    const char *last = cli->arguments[cli->argument_count - 1];

    if (last[0] != '\0' && !cli_contact_is_explicit(last) && exists(last)) {
        fprintf(stderr,
                "dustwire: missing contact: '%s' is a file, and the last argument must be HOST or "
                "HOST:PORT\n",
                last);
        return false;
    }
    for (int i = 0; i + 1 < cli->argument_count; i++) {
        if (!cli_contact_is_explicit(cli->arguments[i]) || exists(cli->arguments[i]))
            continue;
        fprintf(stderr,
                "dustwire: more than one contact, '%s' and '%s': run the command once per contact "
                "(addresses of one node are joined by commas)\n",
                cli->arguments[i], last);
        return false;
    }
    return true;
}

/* The last of several file arguments, if there is no such file, may be meant as a contact. */
static bool may_be_contact(const struct cli *cli, int index)
{
    const char *name = cli->arguments[index];

    return index > 0 && index + 2 == cli->argument_count && strchr(name, '/') == NULL &&
           !exists(name);
}

static enum err list_files(struct sending *s)
{
    struct cli *cli = s->cli;
    enum err e = ERR_OK;

    for (int i = 0; i + 1 < cli->argument_count && e == ERR_OK; i++) {
        e = cli_files_add(&s->files, cli->arguments[i], cli->given & CLI_RECURSIVE);
        if (e == ERR_OK && may_be_contact(cli, i))
            cli_file_fail(&s->files.files[s->files.count - 1],
                          "no such file; if it is a contact, run the command once per contact");
    }
    for (size_t i = 0; i < s->files.count; i++)
        if (s->files.files[i].path != NULL)
            s->total_bytes += s->files.files[i].size_bytes;
    return e;
}

enum cli_exit cli_send(struct cli *cli)
{
    struct sending s = {.cli = cli};
    enum cli_exit exit_code = CLI_FAILED;
    enum err e;

    if (!has_one_contact(cli) ||
        (s.contact = cli_contact_read(cli->arguments[cli->argument_count - 1], true)) == NULL)
        return CLI_USAGE;
    if ((e = list_files(&s)) != ERR_OK) {
        fprintf(stderr, "dustwire: cannot list the files: %s\n", err_text(e));
    } else {
        s.is_terminal =
            cli_output_is_terminal(stderr) && cli_output_is_terminal(stdout) && !cli->is_json;
        cli_catch_interrupts();
        run(&s);
        exit_code = exit_code_of(&s);
    }
    cli_files_fini(&s.files);
    free(s.contact);
    return exit_code;
}
