/* send: at most IN_FLIGHT files are asked for at a time, `send_wait` tells which are decided, and
 * on a terminal `list_streams` how far the others are. The daemon does all the rest. */
#include "tools/cli.h"

#include "base/clock.h"
#include "base/text.h"
#include "tools/cli_contact.h"
#include "tools/cli_files.h"
#include "tools/cli_text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { IN_FLIGHT = 64, WAIT_MS = 1000, WAIT_ON_TERMINAL_MS = 200, CANCEL_WAIT_MS = 5000 };

struct sending {
    struct cli *cli;
    const char *contact;
    struct cli_files files;
    size_t next; /* the first file that was not asked for yet */
    size_t flight[IN_FLIGHT];
    size_t flight_count;
    unsigned finished, failed, unknown;
    bool is_terminal;
    bool is_line_out; /* a progress line stands on the terminal */
    bool is_lost;     /* the daemon went away */
    uint64_t began_ms, shown_ms, shown_bytes;
    double speed;
};

static void clear_line(struct sending *s)
{
    if (s->is_line_out)
        fputs("\r\033[K", stderr);
    s->is_line_out = false;
}

static const char *status_word(const struct cli_file *file)
{
    switch (file->state) {
    case FILE_FINISHED:
        return "finished";
    case FILE_UNKNOWN:
        return "outcome unknown";
    default:
        return "failed";
    }
}

static json_t *json_text(const char *text)
{
    char *escaped;
    json_t *value = json_string(text);
    size_t length = strlen(text);

    if (value != NULL || (escaped = malloc(3 * length + 1)) == NULL)
        return value;
    text_escape(escaped, 3 * length + 1, text, length, false);
    value = json_string(escaped);
    free(escaped);
    return value;
}

static void print_result_json(const struct cli_file *file)
{
    json_t *object = json_object();

    json_object_set_new(object, "file", json_text(file->name));
    json_object_set_new(object, "status", json_string(status_word(file)));
    json_object_set_new(object, "bytes", json_integer((json_int_t)file->done_bytes));
    json_object_set_new(object, "seconds", json_real(file->seconds));
    json_object_set_new(object, "error", json_text(file->error == NULL ? "" : file->error));
    cli_print_json(object);
    json_decref(object);
}

static void print_result(struct sending *s, const struct cli_file *file)
{
    char size[TEXT_SIZE_ROOM], speed[TEXT_SIZE_ROOM];
    double seconds = file->seconds > 0.001 ? file->seconds : 0.001;

    clear_line(s);
    if (s->cli->is_json) {
        print_result_json(file);
    } else if (file->state == FILE_FINISHED) {
        cli_print_one_line(stdout, file->name);
        printf(": finished, %s in %.1f s (%s/s)\n", text_size(size, file->done_bytes),
               file->seconds, text_size(speed, (uint64_t)((double)file->done_bytes / seconds)));
        fflush(stdout);
    } else {
        fputs("dustwire: ", stderr);
        cli_print_one_line(stderr, file->name);
        if (file->request_id != 0) { /* it came as far as to the peer */
            fputs(" to ", stderr);
            cli_print_one_line(stderr, s->contact);
        }
        fprintf(stderr, ": %s: ", status_word(file));
        cli_print_one_line(stderr, file->error == NULL || file->error[0] == '\0'
                                       ? "no reason was given"
                                       : file->error);
        fputc('\n', stderr);
    }
}

static void file_ends(struct sending *s, struct cli_file *file)
{
    s->finished += file->state == FILE_FINISHED;
    s->failed += file->state == FILE_FAILED;
    s->unknown += file->state == FILE_UNKNOWN;
    print_result(s, file);
}

static void daemon_is_lost(struct sending *s, const char *reason)
{
    s->is_lost = true;
    for (size_t i = 0; i < s->flight_count; i++) {
        struct cli_file *file = &s->files.files[s->flight[i]];

        cli_file_fail(file, reason);
        file->state = FILE_UNKNOWN;
        file_ends(s, file);
    }
    s->flight_count = 0;
}

/* By its path, or what was streamed of it. */
static struct cli_reply ask_for(struct sending *s, const struct cli_file *file)
{
    static const char *const methods[2][2] = {{"send_file", "send_file_single"},
                                              {"send_spooled", "send_spooled_single"}};
    bool is_spooled = file->spool_id != 0, is_single = (s->cli->given & CLI_SINGLE) != 0;
    struct cli_ask ask;

    cli_ask_init(&ask);
    cli_ask_text(&ask, s->cli->idurl);
    if (is_spooled)
        cli_ask_integer(&ask, file->spool_id);
    else
        cli_ask_text(&ask, file->path);
    cli_ask_text(&ask, s->contact);
    cli_ask_text(&ask, s->cli->description);
    return cli_call(s->cli->client, methods[is_spooled][is_single], &ask, false);
}

/* Neither way went: both reasons. */
static void join_problems(struct cli_reply *reply, const char *first)
{
    char *both = NULL;

    if (reply->problem == NULL || first == NULL || strcmp(reply->problem, first) == 0 ||
        asprintf(&both, "%s; %s", first, reply->problem) < 0)
        return;
    free(reply->problem);
    reply->problem = both;
}

/* What the daemon cannot read, or does not see, is streamed to it, if we can read it. */
static struct cli_reply ask_or_stream(struct sending *s, struct cli_file *file)
{
    struct cli_reply reply = ask_for(s, file);
    char *first;

    if (reply.fault != FAULT_FILE || file->spool_id != 0)
        return reply;
    first = reply.problem == NULL ? NULL : strdup(reply.problem);
    if (cli_spool(s->cli->client, file->path, &file->spool_id, &reply) == ERR_OK) {
        cli_reply_fini(&reply);
        reply = ask_for(s, file);
    } else {
        join_problems(&reply, first);
    }
    free(first);
    return reply;
}

/* False if no more can be asked for now. */
static bool begin_file(struct sending *s, size_t index)
{
    struct cli_file *file = &s->files.files[index];
    struct cli_reply reply = ask_or_stream(s, file);

    if (reply.fault == FAULT_FULL && s->flight_count > 0) {
        cli_reply_fini(&reply);
        return false;
    }
    s->next++;
    if (reply.end == CLI_OK) {
        file->request_id = (uint64_t)json_integer_value(reply.answer);
        file->state = FILE_UNDER_WAY;
        s->flight[s->flight_count++] = index;
    } else {
        const char *reason = reply.problem == NULL ? "out of memory" : reply.problem;

        cli_file_fail(file, reason);
        /* Taken, perhaps: its answer is what we did not get. */
        if (reply.is_cut_off && reply.fault == 0)
            file->state = FILE_UNKNOWN;
        file_ends(s, file);
        if (reply.end == CLI_NOT_SERVING)
            daemon_is_lost(s, reason);
    }
    cli_reply_fini(&reply);
    return !s->is_lost;
}

static void fill_up(struct sending *s)
{
    while (s->next < s->files.count && s->flight_count < IN_FLIGHT && !cli_is_interrupted()) {
        if (s->files.files[s->next].state == FILE_FAILED)
            file_ends(s, &s->files.files[s->next++]);
        else if (!begin_file(s, s->next))
            return;
    }
}

static void take_outcome(struct cli_file *file, const json_t *outcome)
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

static void take_outcomes(struct sending *s, const json_t *outcomes)
{
    size_t kept = 0;

    for (size_t i = 0; i < s->flight_count; i++) {
        struct cli_file *file = &s->files.files[s->flight[i]];
        const json_t *outcome = find_by(outcomes, "id", file->request_id);

        if (outcome == NULL || !cli_is_true(outcome, "is_done")) {
            s->flight[kept++] = s->flight[i];
            continue;
        }
        take_outcome(file, outcome);
        file_ends(s, file);
    }
    s->flight_count = kept;
}

static struct cli_reply ask_about_flight(struct sending *s, const char *method, bool is_list,
                                         int64_t timeout_ms)
{
    uint64_t ids[IN_FLIGHT];
    struct cli_ask ask;

    for (size_t i = 0; i < s->flight_count; i++)
        ids[i] = s->files.files[s->flight[i]].request_id;
    cli_ask_init(&ask);
    if (is_list) {
        cli_ask_integer(&ask, 0);
        cli_ask_integer(&ask, 200);
    }
    cli_ask_ids(&ask, ids, s->flight_count);
    if (!is_list)
        cli_ask_integer(&ask, timeout_ms);
    return cli_call(s->cli->client, method, &ask, false);
}

static void wait_for_some(struct sending *s, int64_t timeout_ms)
{
    struct cli_reply reply = ask_about_flight(s, "send_wait", false, timeout_ms);

    if (reply.end == CLI_OK)
        take_outcomes(s, reply.answer);
    else
        daemon_is_lost(s, reply.problem == NULL ? "out of memory" : reply.problem);
    cli_reply_fini(&reply);
}

static unsigned terminal_columns(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* The speed follows the last seconds rather than the whole, but does not jump about. */
static void measure(struct sending *s, uint64_t done_bytes)
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

static void show_progress(struct sending *s)
{
    struct cli_progress p = {.done_files = s->finished + s->failed,
                             .total_files = (unsigned)s->files.count};
    char line[256];

    for (size_t i = 0; i < s->files.count; i++) {
        const struct cli_file *file = &s->files.files[i];

        if (file->state == FILE_FAILED)
            continue;
        p.total_bytes += file->size_bytes;
        p.done_bytes += file->done_bytes;
    }
    measure(s, p.done_bytes);
    p.bytes_per_second = s->speed;
    cli_progress_line(line, sizeof line, terminal_columns() - 1, &p);
    fprintf(stderr, "\r%s\033[K", line);
    s->is_line_out = true;
}

static void look_how_far(struct sending *s)
{
    struct cli_reply reply = ask_about_flight(s, "list_streams", true, 0);
    const json_t *stream;

    for (size_t i = 0; i < s->flight_count && reply.end == CLI_OK; i++) {
        struct cli_file *file = &s->files.files[s->flight[i]];

        stream = find_by(reply.answer, "request_id", file->request_id);
        if (stream != NULL)
            file->done_bytes = (uint64_t)cli_number_of(stream, "bytes_current");
    }
    cli_reply_fini(&reply);
    show_progress(s);
}

static void cancel_flight(struct sending *s)
{
    uint64_t deadline_ms = clock_mono_ms() + CANCEL_WAIT_MS;

    clear_line(s);
    for (size_t i = 0; i < s->flight_count; i++) {
        struct cli_reply reply;
        struct cli_ask ask;

        cli_ask_init(&ask);
        cli_ask_integer(&ask, (int64_t)s->files.files[s->flight[i]].request_id);
        reply = cli_call(s->cli->client, "cancel_send", &ask, false);
        cli_reply_fini(&reply);
    }
    while (s->flight_count > 0 && clock_mono_ms() < deadline_ms)
        wait_for_some(s, WAIT_MS);
    if (s->flight_count > 0)
        daemon_is_lost(s, "it was cancelled, but its end was not awaited");
}

static void say_unsent(struct sending *s)
{
    size_t unsent = s->files.count - s->next;

    if (unsent > 0)
        fprintf(stderr, "dustwire: %zu file%s not sent\n", unsent, unsent == 1 ? " was" : "s were");
}

static void run(struct sending *s)
{
    s->began_ms = s->shown_ms = clock_mono_ms();
    fill_up(s);
    while (s->flight_count > 0 && !cli_is_interrupted()) {
        if (s->is_terminal)
            look_how_far(s);
        wait_for_some(s, s->is_terminal ? WAIT_ON_TERMINAL_MS : WAIT_MS);
        if (!s->is_lost)
            fill_up(s);
    }
    if (s->flight_count > 0)
        cancel_flight(s);
    clear_line(s);
    say_unsent(s);
}

static enum cli_end end_of(const struct sending *s)
{
    if (cli_is_interrupted())
        return CLI_INTERRUPTED;
    if (s->is_lost || s->unknown > 0)
        return CLI_NOT_SERVING;
    return s->failed > 0 ? CLI_FAILED : CLI_OK;
}

enum cli_end cli_send(struct cli *cli)
{
    struct sending s = {.cli = cli, .contact = cli->arguments[cli->argument_count - 1]};
    enum cli_end end = CLI_FAILED;
    enum err e = ERR_OK;

    if (!cli_contact_check(s.contact, true))
        return CLI_USAGE;
    for (int i = 0; i + 1 < cli->argument_count && e == ERR_OK; i++)
        e = cli_files_add(&s.files, cli->arguments[i], cli->given & CLI_RECURSIVE);
    if (e != ERR_OK) {
        fprintf(stderr, "dustwire: the files could not be listed: %s\n", err_text(e));
    } else if (s.files.count == 0) {
        fprintf(stderr, "dustwire: there is no file in what was named\n");
    } else {
        s.is_terminal = isatty(STDERR_FILENO) && isatty(STDOUT_FILENO) && !cli->is_json;
        cli_catch_interrupts();
        run(&s);
        end = end_of(&s);
    }
    cli_files_fini(&s.files);
    return end;
}
