#include "tcp/session/silence.h"

#include <criterion/criterion.h>
#include <linux/tcp.h>

TestSuite(silence, .timeout = 10);

/* TCP_INFO of one second. */
struct sample {
    unsigned unacked, probes;
    int window; /* -1: a kernel without tcpi_snd_wnd */
    unsigned last_ack_ms;
};

enum { SAMPLES = 200, START_MS = 1000000, NEVER = 0 };

/* How many seconds until it is silent for 30 s; NEVER: not within all samples. */
static unsigned found_after(struct sample (*at)(unsigned second))
{
    struct session_silence s = {0};

    for (unsigned second = 1; second <= SAMPLES; second++) {
        struct sample sample = at(second);
        struct tcp_info info = {.tcpi_unacked = sample.unacked,
                                .tcpi_probes = (uint8_t)sample.probes,
                                .tcpi_last_ack_recv = sample.last_ack_ms,
                                .tcpi_snd_wnd = sample.window < 0 ? 0 : (unsigned)sample.window};
        size_t length = sample.window < 0 ? offsetof(struct tcp_info, tcpi_snd_wnd) : sizeof info;

        if (session_silence_update(&s, &info, length, START_MS + second * 1000) >= 30000)
            return second;
    }
    return NEVER;
}

static struct sample reads(unsigned s)
{
    (void)s;
    return (struct sample){.unacked = 10, .window = 65535, .last_ack_ms = 20};
}

static struct sample vanished(unsigned s)
{
    return (struct sample){.unacked = 10, .window = 65535, .last_ack_ms = s * 1000};
}

static struct sample vanished_after_an_hours_rest(unsigned s)
{
    return (struct sample){.unacked = 1, .window = 65535, .last_ack_ms = 3600000 + s * 1000};
}

static struct sample vanishes_at_50(unsigned s)
{
    return (struct sample){
        .unacked = 4, .window = 65535, .last_ack_ms = s < 50 ? 100 : (s - 50) * 1000};
}

static struct sample paused(unsigned s) /* probed after 1, 2, 4 ... s, answers each */
{
    unsigned last = 1;

    while (last * 2 <= s)
        last *= 2;
    return (struct sample){.window = 0, .last_ack_ms = (s - last) * 1000};
}

static struct sample paused_and_seen_between_probe_and_answer(unsigned s)
{
    struct sample sample = paused(s);

    sample.probes = sample.last_ack_ms == 0;
    return sample;
}

static struct sample paused_and_its_kernel_tells_no_window(unsigned s)
{
    struct sample sample = paused(s);

    sample.window = -1;
    return sample;
}

static struct sample
paused_with_bytes_beyond_the_window(unsigned s) /* resent, answered, not taken */
{
    struct sample sample = paused(s);

    sample.unacked = 3;
    return sample;
}

static struct sample paused_then_vanished(unsigned s) /* from 40 s on probes are not answered */
{
    return s < 40 ? paused(s)
                  : (struct sample){.probes = 1 + s / 40, .last_ack_ms = (s - 32) * 1000};
}

static struct sample paused_for_60_then_reads(unsigned s)
{
    return s < 60 ? paused(s) : reads(s);
}

static struct sample a_gap_of_29(unsigned s)
{
    return (struct sample){.unacked = 2, .window = 1000, .last_ack_ms = s % 29 * 1000};
}

static struct sample idle(unsigned s)
{
    return (struct sample){.window = 65535, .last_ack_ms = s * 1000};
}

static struct sample one_ack_every_10(unsigned s)
{
    return (struct sample){.unacked = 1, .window = 1, .last_ack_ms = s % 10 * 1000};
}

static struct sample vanished_and_its_kernel_tells_no_window(unsigned s)
{
    return (struct sample){.unacked = 10, .window = -1, .last_ack_ms = s * 1000};
}

Test(silence, peers)
{
#define ROW(peer, from, to)   \
    {                         \
#peer, peer, from, to \
    }
    static const struct {
        const char *name;
        struct sample (*at)(unsigned);
        unsigned from, to; /* found within these */
    } rows[] = {
        ROW(reads, NEVER, NEVER),
        ROW(vanished, 30, 32),
        ROW(vanished_after_an_hours_rest, 30, 32),
        ROW(vanishes_at_50, 79, 82),
        ROW(paused, NEVER, NEVER),
        ROW(paused_and_seen_between_probe_and_answer, NEVER, NEVER),
        ROW(paused_and_its_kernel_tells_no_window, NEVER, NEVER),
        ROW(paused_with_bytes_beyond_the_window, NEVER, NEVER),
        ROW(paused_then_vanished, 69, 72),
        ROW(paused_for_60_then_reads, NEVER, NEVER),
        ROW(a_gap_of_29, NEVER, NEVER),
        ROW(idle, NEVER, NEVER),
        ROW(one_ack_every_10, NEVER, NEVER),
        ROW(vanished_and_its_kernel_tells_no_window, 30, 32),
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        unsigned found = found_after(rows[i].at);

        cr_expect(found >= rows[i].from && found <= rows[i].to, "%s: found after %u s",
                  rows[i].name, found);
    }
}

Test(silence, a_socket_that_cannot_be_asked_is_not_silent)
{
    struct session_silence s = {0};

    cr_expect_eq(session_silence_of(&s, -1, 1000), 0);
    cr_expect_eq(session_silence_last_ack_ms(-1), 0);
    cr_expect_eq(session_silence_unacknowledged(-1), 0);
}
