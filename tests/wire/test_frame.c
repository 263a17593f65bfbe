#include "wire/frame.h"

#include "wire/frames_seen.h"

#include <signal.h>

enum { LIMIT = 4096 };

static struct frames_seen seen;

static void a_decoder(void)
{
    seen_init(&seen, LIMIT);
}

static void clean_up(void)
{
    seen_fini(&seen);
}

/* One frame of each kind, with and without what may be left out, written by hand. */
static const uint8_t each_kind[] = {
    0, 0, 0, 11, '1', 'h', ':', '1', ' ', 'h', 't', 't', 'p', ':',  '/',           /* 0 */
    0, 0, 0, 6,  '1', 'w', 'N', 'o', 'n', 'e',                                     /* 1 */
    0, 0, 0, 2,  '1', 'w',                                                         /* 2 */
    0, 0, 0, 13, '1', 'd', 1,   2,   3,   4,   255, 0,   0,   0,    'a', 'b', 'c', /* 3 */
    0, 0, 0, 10, '1', 'd', 0,   0,   0,   128, 0,   0,   0,   0,                   /* 4 */
    0, 0, 0, 11, '1', 'd', 254, 255, 255, 255, 255, 255, 255, 127,  0,             /* 5 */
    0, 0, 0, 6,  '1', 'o', 255, 255, 255, 255,                                     /* 6 */
    0, 0, 0, 9,  '1', 'o', 7,   0,   0,   0,   'x', 'y', 'z',                      /* 7 */
    0, 0, 0, 6,  '1', 'a', 9,   0,   0,   0,                                       /* 8 */
    0, 0, 0, 10, '1', 'a', 9,   0,   0,   0,   ' ', 0,   255, '\n',                /* 9 */
    0, 0, 0, 2,  '1', 'h',                                                         /* 10 */
};

static void expect_each_kind(void)
{
    cr_assert_null(seen.bad);
    cr_assert_eq(seen.count, 11u, "%zu frames", seen.count);
    seen_expect(&seen, 0, 'h', 0, 0, ":1 http:/", 9);
    seen_expect(&seen, 1, 'w', 0, 0, "None", 4);
    seen_expect(&seen, 2, 'w', 0, 0, "", 0);
    seen_expect(&seen, 3, 'd', 0x04030201, 255, "abc", 3);
    seen_expect(&seen, 4, 'd', INT32_MIN, 0, "", 0);
    seen_expect(&seen, 5, 'd', -2, INT32_MAX, "\0", 1);
    seen_expect(&seen, 6, 'o', -1, 0, "", 0);
    seen_expect(&seen, 7, 'o', 7, 0, "xyz", 3);
    seen_expect(&seen, 8, 'a', 9, 0, "", 0);
    seen_expect(&seen, 9, 'a', 9, 0, " \0\xff\n", 4);
    seen_expect(&seen, 10, 'h', 0, 0, "", 0);
}

Test(frame, takes_frames_that_come_in_one_segment, .init = a_decoder, .fini = clean_up,
     .timeout = 10)
{
    seen_feed(&seen, each_kind, sizeof each_kind);
    expect_each_kind();
}

Test(frame, takes_frames_split_at_any_two_places, .init = a_decoder, .fini = clean_up,
     .timeout = 60)
{
    for (size_t i = 0; i <= sizeof each_kind; i++) {
        for (size_t j = i; j <= sizeof each_kind; j++) {
            seen_feed(&seen, each_kind, i);
            seen_feed(&seen, each_kind + i, j - i);
            seen_feed(&seen, each_kind + j, sizeof each_kind - j);
            expect_each_kind();
            seen_fini(&seen);
            seen_init(&seen, LIMIT);
        }
    }
}

Test(frame, takes_frames_a_byte_at_a_time, .init = a_decoder, .fini = clean_up, .timeout = 10)
{
    for (size_t i = 0; i < sizeof each_kind; i++)
        seen_feed(&seen, each_kind + i, 1);
    expect_each_kind();
}

Test(frame, decodes_random_frames_in_random_chunks, .init = a_decoder, .fini = clean_up,
     .timeout = 60)
{
    static uint8_t stream[1 << 20];
    static const size_t sizes[] = {0, 1, 7, 500, 16384, FRAME_DATA_BYTES_MAX};
    unsigned seed = 20261121;

    for (unsigned round = 0; round < 200; round++) {
        size_t end = 0, lengths[8], at[8], count = (size_t)rand_r(&seed) % 8;

        for (size_t i = 0; i < count; i++) {
            lengths[i] = sizes[(size_t)rand_r(&seed) % (sizeof sizes / sizeof *sizes)];
            frame_write_data_header(stream + end, (int32_t)i, (int32_t)lengths[i], lengths[i]);
            at[i] = end + FRAME_DATA_HEADER_SIZE;
            for (size_t j = 0; j < lengths[i]; j += 97)
                stream[at[i] + j] = (uint8_t)rand_r(&seed);
            end = at[i] + lengths[i];
        }
        for (size_t fed = 0; fed < end;) {
            size_t chunk = (size_t)rand_r(&seed) % (rand_r(&seed) % 4 == 0 ? 20 : 40000);

            if (chunk > end - fed)
                chunk = end - fed;
            seen_feed(&seen, stream + fed, chunk);
            fed += chunk;
        }
        cr_assert_null(seen.bad);
        cr_assert_eq(seen.count, count);
        for (size_t i = 0; i < count; i++)
            seen_expect(&seen, i, 'd', (int32_t)i, (int32_t)lengths[i], stream + at[i], lengths[i]);
        seen_fini(&seen);
        seen_init(&seen, LIMIT);
    }
}

Test(frame, hands_data_on_out_of_the_callers_buffer, .timeout = 10)
{
    struct frame_decoder d;
    struct frame_piece piece;
    uint8_t bytes[FRAME_DATA_HEADER_SIZE + 100];
    size_t taken;

    frame_decoder_init(&d, LIMIT);
    memset(bytes, 'x', sizeof bytes);
    frame_write_data_header(bytes, 5, 1000, 100);
    cr_assert_eq(frame_decode(&d, bytes, FRAME_DATA_HEADER_SIZE, &taken, &piece), ERR_OK);
    cr_assert_eq(piece.kind, FRAME_PIECE_NONE, "no piece before there are bytes");
    cr_assert_eq(frame_decoder_data_left(&d), 100u);
    cr_assert_eq(frame_decode(&d, bytes + taken, 60, &taken, &piece), ERR_OK);
    cr_assert_eq(piece.kind, FRAME_PIECE_DATA);
    cr_assert(piece.is_first && !piece.is_last);
    cr_assert_eq(piece.bytes, bytes + FRAME_DATA_HEADER_SIZE);
    cr_assert_eq(piece.length, 60u);
    cr_assert_eq(frame_decoder_data_left(&d), 40u);
    cr_assert_eq(frame_decode(&d, bytes + 74, 40, &taken, &piece), ERR_OK);
    cr_assert(!piece.is_first && piece.is_last);
    cr_assert_eq(piece.bytes, bytes + 74);
    cr_assert_eq(frame_decoder_data_left(&d), 0u);
    cr_assert_null(d.control.bytes);
}

Test(frame, holds_memory_only_while_a_control_frame_is_incomplete, .init = a_decoder,
     .fini = clean_up, .timeout = 10)
{
    struct frame_piece piece;
    size_t taken;

    cr_assert_eq(frame_decode(&seen.decoder, each_kind, 15, &taken, &piece), ERR_OK);
    cr_assert_eq(piece.bytes, each_kind + FRAME_HEADER_SIZE, "whole in the caller's buffer");
    cr_assert_null(seen.decoder.control.bytes);
    seen_feed(&seen, each_kind, 9);
    cr_assert_not_null(seen.decoder.control.bytes);
    seen_feed(&seen, each_kind + 9, 6);
    cr_assert_null(seen.decoder.control.bytes);
    seen_expect(&seen, 0, 'h', 0, 0, ":1 http:/", 9);
}

/* Feeds `length` header bytes one at a time; the stream must turn bad with the last and not before.
 */
static void expect_bad_at_the_last_of(const uint8_t *header, size_t length)
{
    seen_init(&seen, LIMIT);
    for (size_t i = 0; i < length; i++) {
        cr_assert_null(seen.bad, "bad after %zu bytes: %s", i, seen.bad);
        seen_feed(&seen, header + i, 1);
    }
    cr_assert_not_null(seen.bad);
    seen_fini(&seen);
    seen_init(&seen, LIMIT);
    seen_feed(&seen, header, length);
    cr_assert_not_null(seen.bad);
    cr_assert_eq(seen.count, 0u);
    seen_fini(&seen);
}

static void put_length(uint8_t header[6], uint32_t length, char command)
{
    header[0] = (uint8_t)(length >> 24);
    header[1] = (uint8_t)(length >> 16);
    header[2] = (uint8_t)(length >> 8);
    header[3] = (uint8_t)length;
    header[4] = '1';
    header[5] = (uint8_t)command;
}

Test(frame, refuses_a_length_as_soon_as_it_is_there, .timeout = 10)
{
    static const uint32_t bad[] = {0, 1, 100000, 0x01000000, 0x7fffffff, 0x80000000, 0xffffffff};
    uint8_t header[6];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put_length(header, bad[i], 'd');
        expect_bad_at_the_last_of(header, 4);
    }
}

Test(frame, refuses_every_version_but_1, .timeout = 10)
{
    uint8_t header[6];

    for (unsigned version = 0; version < 256; version++) {
        if (version == '1')
            continue;
        put_length(header, 10, 'd');
        header[4] = (uint8_t)version;
        expect_bad_at_the_last_of(header, 5);
    }
}

Test(frame, refuses_unknown_commands_and_capitals, .timeout = 10)
{
    uint8_t header[6];

    for (unsigned command = 0; command < 256; command++) {
        if (command != 0 && strchr("hwdoa", (int)command) != NULL)
            continue;
        put_length(header, 10, (char)command);
        expect_bad_at_the_last_of(header, 6);
    }
}

Test(frame, refuses_payloads_without_room_for_their_fields, .timeout = 10)
{
    uint8_t header[6];

    for (uint32_t length = 2; length < 10; length++) {
        put_length(header, length, 'd');
        expect_bad_at_the_last_of(header, 6);
    }
    for (uint32_t length = 2; length < 6; length++) {
        put_length(header, length, 'o');
        expect_bad_at_the_last_of(header, 6);
        put_length(header, length, 'a');
        expect_bad_at_the_last_of(header, 6);
    }
}

Test(frame, refuses_a_control_frame_beyond_the_limit_from_its_header, .timeout = 10)
{
    uint8_t header[6];

    for (const char *command = "hwoa"; *command != '\0'; command++) {
        put_length(header, LIMIT + 3, *command);
        expect_bad_at_the_last_of(header, 6);
        put_length(header, FRAME_LENGTH_MAX, *command);
        expect_bad_at_the_last_of(header, 6);
    }
}

Test(frame, takes_a_control_frame_at_the_limit_whole_or_in_pieces, .timeout = 10)
{
    static uint8_t frame[6 + LIMIT];

    memset(frame, 'i', sizeof frame);
    for (const char *command = "hwoa"; *command != '\0'; command++) {
        size_t id = *command == 'o' || *command == 'a' ? 4 : 0;

        put_length(frame, LIMIT + 2, *command);
        for (size_t cut = 0; cut <= sizeof frame; cut += 37) {
            seen_init(&seen, LIMIT);
            seen_feed(&seen, frame, cut);
            seen_feed(&seen, frame + cut, sizeof frame - cut);
            cr_assert_null(seen.bad);
            seen_expect(&seen, 0, *command, id == 0 ? 0 : 0x69696969, 0, frame + 6 + id,
                        LIMIT - id);
            seen_fini(&seen);
        }
    }
}

Test(frame, takes_the_longest_frame_of_each_kind, .timeout = 20)
{
    static uint8_t frame[4 + FRAME_LENGTH_MAX], payload[FRAME_LENGTH_MAX];

    memset(payload, 'z', sizeof payload);
    memset(frame, 'z', sizeof frame);
    put_length(frame, FRAME_LENGTH_MAX, 'h');
    seen_init(&seen, FRAME_LENGTH_MAX);
    seen_feed(&seen, frame, 50000);
    seen_feed(&seen, frame + 50000, sizeof frame - 50000);
    frame_write_data_header(frame, 1, INT32_MAX, FRAME_DATA_BYTES_MAX);
    seen_feed(&seen, frame, sizeof frame);
    cr_assert_null(seen.bad);
    seen_expect(&seen, 0, 'h', 0, 0, payload, FRAME_LENGTH_MAX - 2);
    seen_expect(&seen, 1, 'd', 1, INT32_MAX, payload, FRAME_DATA_BYTES_MAX);
    seen_fini(&seen);
}

Test(frame, stays_bad_and_gives_its_memory_back, .init = a_decoder, .fini = clean_up, .timeout = 10)
{
    static const uint8_t bad[] = {0, 0, 0, 2, '1', 'H'};
    struct frame_piece piece;
    size_t taken;

    seen_feed(&seen, each_kind, 15);
    seen_feed(&seen, bad, sizeof bad);
    cr_assert_not_null(seen.bad);
    cr_assert_eq(seen.count, 1u, "what came whole before counts");
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(frame_decode(&seen.decoder, each_kind, 15, &taken, &piece), ERR_OK);
        cr_assert_eq(piece.kind, FRAME_PIECE_BAD);
        cr_assert_not_null(piece.reason);
    }
    cr_assert_eq(frame_decode(&seen.decoder, NULL, 0, &taken, &piece), ERR_OK);
    cr_assert_eq(piece.kind, FRAME_PIECE_BAD);
    cr_assert_eq(seen.decoder.control.bytes, NULL);
    cr_assert_eq(frame_decoder_data_left(&seen.decoder), 0u);
}

static void expect_queue(struct buf *queue, const void *bytes, size_t length)
{
    cr_assert_eq(buf_length(queue), length);
    cr_assert_arr_eq(buf_bytes(queue), bytes, length);
    buf_clear(queue);
}

Test(frame, writes_each_control_frame_to_the_byte, .timeout = 10)
{
    struct buf queue = {0};

    cr_assert_eq(frame_add_hello(&queue, "1.2.3.4", 7771, "http://x/y.xml"), ERR_OK);
    expect_queue(&queue, "\0\0\0\x1d\x31h1.2.3.4:7771 http://x/y.xml", 33);
    cr_assert_eq(frame_add_hello(&queue, "", 65535, ""), ERR_OK);
    expect_queue(&queue, "\0\0\0\x0d\x31h:65535 None", 17);
    cr_assert_eq(frame_add_wazap(&queue, "http://x/y.xml"), ERR_OK);
    expect_queue(&queue, "\0\0\0\x10\x31whttp://x/y.xml", 20);
    cr_assert_eq(frame_add_wazap(&queue, NULL), ERR_OK);
    expect_queue(&queue, "\0\0\0\x06\x31wNone", 10);
    cr_assert_eq(frame_add_ok(&queue, 0x04030201), ERR_OK);
    expect_queue(&queue, "\0\0\0\x06\x31o\x01\x02\x03\x04", 10);
    cr_assert_eq(frame_add_abort(&queue, -2, "disconnecting"), ERR_OK);
    expect_queue(&queue, "\0\0\0\x14\x31\x61\xfe\xff\xff\xff disconnecting", 24);
    cr_assert_eq(frame_add_abort(&queue, -2, " disconnecting"), ERR_OK);
    expect_queue(&queue, "\0\0\0\x14\x31\x61\xfe\xff\xff\xff disconnecting", 24);
    cr_assert_eq(frame_add_abort(&queue, 0, ""), ERR_OK);
    expect_queue(&queue, "\0\0\0\x06\x31\x61\0\0\0\0", 10);
}

Test(frame, says_only_hellos_that_every_peer_accepts, .timeout = 10)
{
    struct buf queue = {0};

    cr_assert_eq(frame_add_hello(&queue, "1.2.3.4", 0, "id"), ERR_INVALID);
    cr_assert_eq(frame_add_hello(&queue, "::1", 1, "id"), ERR_INVALID);
    cr_assert_eq(frame_add_hello(&queue, "a b", 1, "id"), ERR_INVALID);
    cr_assert_eq(frame_add_hello(&queue, "a", 1, "i d"), ERR_INVALID);
    cr_assert_eq(frame_add_hello(&queue, "a", 1, "i\n"), ERR_INVALID);
    cr_assert_null(queue.bytes);
}

Test(frame, adds_a_frame_whole_or_not_at_all, .timeout = 10)
{
    static char text[FRAME_LENGTH_MAX + 1];
    static uint8_t filler[BUF_LIMIT];
    struct buf queue = {0};

    memset(text, 't', FRAME_LENGTH_MAX);
    cr_assert_eq(frame_add_wazap(&queue, text), ERR_TOO_LARGE);
    cr_assert_eq(frame_add_hello(&queue, "a", 1, text), ERR_TOO_LARGE);
    cr_assert_eq(frame_add_abort(&queue, 1, text), ERR_TOO_LARGE);
    cr_assert_eq(buf_length(&queue), 0u);
    text[FRAME_LENGTH_MAX - 2] = '\0';
    cr_assert_eq(frame_add_wazap(&queue, text), ERR_OK);
    cr_assert_eq(buf_length(&queue), (size_t)FRAME_LENGTH_MAX + 4);
    buf_clear(&queue);

    cr_assert_eq(buf_add(&queue, filler, BUF_LIMIT - 9), ERR_OK);
    cr_assert_eq(frame_add_ok(&queue, 1), ERR_TOO_LARGE);
    cr_assert_eq(buf_length(&queue), (size_t)BUF_LIMIT - 9);
    buf_take(&queue, 1);
    cr_assert_eq(frame_add_ok(&queue, 1), ERR_OK);
    buf_clear(&queue);
}

Test(frame, refuses_to_write_what_no_peer_would_take, .signal = SIGABRT, .timeout = 10)
{
    uint8_t header[FRAME_DATA_HEADER_SIZE];

    frame_write_data_header(header, 1, 1, FRAME_DATA_BYTES_MAX + 1);
}
