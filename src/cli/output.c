#include "cli/output.h"

#include "base/inherit.h"
#include "cli/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ESCAPE_BYTES = 512 };

struct output {
    FILE *stream;
    int fd;
    bool is_terminal;
    int error_number; /* of the first write that failed */
    char partial[4];  /* an incomplete UTF-8 sequence */
    size_t partial_length;
};

static struct output outputs[] = {{.fd = STDOUT_FILENO}, {.fd = STDERR_FILENO}};
static bool is_pipe_ignored; /* at start */

static bool wait_until_writable(int fd)
{
    struct pollfd to = {.fd = fd, .events = POLLOUT};

    return poll(&to, 1, -1) >= 0 || errno == EINTR;
}

static bool write_all(struct output *o, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = write(o->fd, bytes, length);

        if (count > 0) {
            bytes += count;
            length -= (size_t)count;
        } else if (count == 0 ||
                   (errno != EINTR && (errno != EAGAIN || !wait_until_writable(o->fd)))) {
            if (o->error_number == 0)
                o->error_number = count == 0 ? EIO : errno;
            return false;
        }
    }
    return true;
}

/* In pieces; a UTF-8 sequence split between two writes is kept until it is complete. */
static bool write_escaped(struct output *o, const char *bytes, size_t length)
{
    char raw[ESCAPE_BYTES], escaped[3 * ESCAPE_BYTES + 1];

    while (length > 0) {
        size_t more = ESCAPE_BYTES - o->partial_length, consumed, written;

        if (more > length)
            more = length;
        memcpy(raw, o->partial, o->partial_length);
        memcpy(raw + o->partial_length, bytes, more);
        bytes += more;
        length -= more;
        more += o->partial_length;
        written = cli_terminal_escape(escaped, raw, more, true, false, &consumed);
        o->partial_length = more - consumed;
        memcpy(o->partial, raw + consumed, o->partial_length);
        if (!write_all(o, escaped, written))
            return false;
    }
    return true;
}

static ssize_t write_cookie(void *cookie, const char *bytes, size_t length)
{
    struct output *o = cookie;
    bool is_written =
        o->is_terminal ? write_escaped(o, bytes, length) : write_all(o, bytes, length);

    return is_written ? (ssize_t)length : 0; /* 0 is an error to stdio: see fopencookie(3) */
}

static FILE *open_stream(struct output *o, FILE *plain, int mode)
{
    o->is_terminal = isatty(o->fd);
    o->stream = fopencookie(o, "w", (cookie_io_functions_t){.write = write_cookie});
    if (o->stream == NULL)
        return plain;
    setvbuf(o->stream, NULL, o->is_terminal ? _IOLBF : mode, BUFSIZ);
    return o->stream;
}

void cli_output_open(void)
{
    inherit_fill_standard();
    is_pipe_ignored = inherit_is_ignored(SIGPIPE);
    inherit_reset_signals(NULL);
    stdout = open_stream(&outputs[0], stdout, _IOFBF);
    stderr = open_stream(&outputs[1], stderr, _IOLBF);
}

int cli_output_close(void)
{
    errno = 0;
    if (fflush(stdout) != 0 && outputs[0].error_number == 0)
        return errno == 0 ? EIO : errno;
    return outputs[0].error_number;
}

bool cli_output_is_closed(void)
{
    struct pollfd out = {.fd = STDOUT_FILENO};

    return poll(&out, 1, 0) > 0 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

void cli_output_raise_sigpipe(void)
{
    if (is_pipe_ignored)
        return;
    fflush(stderr);
    signal(SIGPIPE, SIG_DFL);
    raise(SIGPIPE);
}

bool cli_output_is_terminal(const FILE *out)
{
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
        if (outputs[i].stream == out)
            return outputs[i].is_terminal;
    return false;
}

void cli_put(FILE *out, const char *text)
{
    char *line = cli_output_is_terminal(out) ? cli_terminal_line(text) : NULL;

    fputs(line == NULL ? text : line, out);
    free(line);
}

void cli_output_raw(const char *text)
{
    fflush(stderr);
    write_all(&outputs[1], text, strlen(text));
}
