#include "tcp/session/silence.h"

/* Not <netinet/tcp.h>: its tcp_info lacks tcpi_snd_wnd. */
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* Before Linux 5.18 tcp_info has no window. A zero window needs no check there: everything in
 * flight has been acknowledged, and only probes are sent. */
static bool is_window_zero(const struct tcp_info *info, size_t length)
{
    return length >= offsetof(struct tcp_info, tcpi_snd_wnd) + sizeof info->tcpi_snd_wnd &&
           info->tcpi_snd_wnd == 0;
}

uint64_t session_silence_update(struct session_silence *s, const struct tcp_info *info,
                                size_t length, uint64_t now_ms)
{
    uint64_t ago_ms = info->tcpi_last_ack_recv;
    bool is_unanswered =
        info->tcpi_probes > 0 || (info->tcpi_unacked > 0 && !is_window_zero(info, length));

    if (!is_unanswered) {
        s->since_ms = 0;
        return 0;
    }
    if (s->since_ms == 0)
        s->since_ms = now_ms;
    if (ago_ms < now_ms && now_ms - ago_ms > s->since_ms)
        s->since_ms = now_ms - ago_ms;
    return now_ms - s->since_ms;
}

/* False: not available. */
static bool read_info(int fd, struct tcp_info *info, socklen_t *length)
{
    *length = sizeof *info;
    memset(info, 0, sizeof *info);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, length) == 0;
}

uint64_t session_silence_of(struct session_silence *s, int fd, uint64_t now_ms)
{
    struct tcp_info info;
    socklen_t length;

    return read_info(fd, &info, &length) ? session_silence_update(s, &info, length, now_ms) : 0;
}

uint64_t session_silence_last_ack_ms(int fd)
{
    struct tcp_info info;
    socklen_t length;

    return read_info(fd, &info, &length) ? info.tcpi_last_ack_recv : 0;
}

unsigned session_silence_unacknowledged(int fd)
{
    int bytes = 0;

    return ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? (unsigned)bytes : 0;
}
