/* The peer of tcp_support.h: encodes and decodes frames itself, without the codec under test. */
#include "tcp/tcp_support.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Sending. */

static uint8_t gathered[1 << 20];
static size_t gathered_length;
static bool is_gathering;

void gather_frames(void)
{
    is_gathering = true;
}

void send_gathered(void)
{
    is_gathering = false;
    peer_write(gathered, gathered_length);
    gathered_length = 0;
}

void peer_write(const void *bytes, size_t length)
{
    const uint8_t *at = bytes;

    if (is_gathering) {
        cr_assert_leq(gathered_length + length, sizeof gathered);
        memcpy(gathered + gathered_length, bytes, length);
        gathered_length += length;
        return;
    }
    while (length > 0) {
        ssize_t n = send(peer_fd, at, length, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0) {
            cr_assert_eq(errno, EAGAIN, "the peer cannot write: %s", strerror(errno));
            turn();
            continue;
        }
        at += n;
        length -= (size_t)n;
    }
}

static void put_u32_be(uint8_t *to, uint32_t v)
{
    to[0] = (uint8_t)(v >> 24);
    to[1] = (uint8_t)(v >> 16);
    to[2] = (uint8_t)(v >> 8);
    to[3] = (uint8_t)v;
}

static void put_i32_le(uint8_t *to, int32_t value)
{
    uint32_t v = (uint32_t)value;

    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(v >> (8 * i));
}

static int32_t get_i32_le(const uint8_t *from)
{
    return (int32_t)((uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 |
                     (uint32_t)from[3] << 24);
}

void peer_send(uint8_t command, const void *payload, size_t length)
{
    uint8_t *frame = malloc(6 + length);

    cr_assert_not_null(frame);
    put_u32_be(frame, (uint32_t)length + 2);
    frame[4] = '1';
    frame[5] = command;
    if (length > 0)
        memcpy(frame + 6, payload, length);
    peer_write(frame, 6 + length);
    free(frame);
}

void peer_hello(void)
{
    static const char hello[] = "127.0.0.1:7771 http://id.example/peer.xml";

    peer_send('h', hello, sizeof hello - 1);
}

void peer_data(int32_t file_id, int32_t size, const void *bytes, size_t length)
{
    uint8_t *payload = malloc(8 + length);

    cr_assert_not_null(payload);
    put_i32_le(payload, file_id);
    put_i32_le(payload + 4, size);
    if (length > 0)
        memcpy(payload + 8, bytes, length);
    peer_send('d', payload, 8 + length);
    free(payload);
}

void peer_file(int32_t file_id, const char *text)
{
    peer_data(file_id, (int32_t)strlen(text), text, strlen(text));
}

void peer_ok(int32_t file_id)
{
    uint8_t payload[4];

    put_i32_le(payload, file_id);
    peer_send('o', payload, sizeof payload);
}

void peer_abort(int32_t file_id, const char *text)
{
    uint8_t payload[200];

    put_i32_le(payload, file_id);
    memcpy(payload + 4, text, strlen(text));
    peer_send('a', payload, 4 + strlen(text));
}

void peer_end(void)
{
    shutdown(peer_fd, SHUT_WR);
}

void peer_close(void)
{
    close(peer_fd);
    peer_fd = -1;
}

/* Receiving. */

static uint8_t ear[1 << 18];
static size_t ear_length, ear_used;

/* 1: bytes were received, 0: end of file, -1: no bytes available. */
static int listen_once(void)
{
    ssize_t n;

    memmove(ear, ear + ear_used, ear_length - ear_used);
    ear_length -= ear_used;
    ear_used = 0;
    n = recv(peer_fd, ear + ear_length, sizeof ear - ear_length, MSG_DONTWAIT);
    if (n > 0)
        ear_length += (size_t)n;
    return n > 0 ? 1 : n == 0 ? 0 : -1;
}

static bool is_frame_there(size_t *length)
{
    const uint8_t *at = ear + ear_used;

    if (ear_length - ear_used < 4)
        return false;
    *length = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
    return ear_length - ear_used >= 4 + *length;
}

struct received_frame peer_receive(void)
{
    struct received_frame h = {0};
    const uint8_t *at;
    size_t length;

    while (!is_frame_there(&length)) {
        int got = listen_once();

        cr_assert_neq(got, 0, "end of file instead of a frame");
        if (got < 0)
            turn();
    }
    at = ear + ear_used + 6;
    h.command = at[-1];
    cr_assert_eq(at[-2], '1');
    ear_used += 4 + length;
    length -= 2;
    if (h.command == 'd' || h.command == 'o' || h.command == 'a') {
        h.file_id = get_i32_le(at);
        at += 4;
        length -= 4;
    }
    if (h.command == 'd') {
        h.size = get_i32_le(at);
        at += 4;
        length -= 4;
    } else {
        snprintf(h.text, sizeof h.text, "%.*s", (int)length, (const char *)at);
    }
    h.bytes = at;
    h.length = length;
    return h;
}

bool peer_receives_end(void)
{
    size_t length;
    int got = -1;

    while (!is_frame_there(&length) && got != 0) {
        got = listen_once();
        if (got < 0 && errno != EAGAIN)
            return false;
        if (got < 0)
            turn();
    }
    return got == 0 && ear_length == ear_used;
}

bool peer_receives_nothing(void)
{
    for (int i = 0; i < 5; i++)
        turn();
    return listen_once() < 0 && ear_length == ear_used;
}
