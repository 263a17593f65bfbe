#include "loadgen/outgoing.h"

#include "wire/frame.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 1000, WINDOW = 3 };

/* What the receiver has decoded. */
struct received {
    unsigned files;  /* completely received */
    uint64_t bytes;  /* of files */
    uint64_t left;   /* of the current file */
    int32_t ids[16]; /* in the order of completion */
    bool is_bad;
};

static int sockets[2];
static struct loadgen_payload payload;
static struct loadgen_outgoing *outgoing;

static void make(uint64_t size)
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets), 0);
    cr_assert_eq(loadgen_payload_init(&payload, size, CHUNK, WINDOW), ERR_OK);
    outgoing = loadgen_outgoing_new(&payload, WINDOW);
    cr_assert_not_null(outgoing);
}

static void clean_up(void)
{
    loadgen_outgoing_free(&outgoing);
    loadgen_payload_fini(&payload);
    close(sockets[0]);
    close(sockets[1]);
}

static void take_piece(struct received *received, const struct frame_piece *piece)
{
    if (piece->kind != FRAME_PIECE_DATA || (uint64_t)piece->size != payload.size) {
        received->is_bad = true;
        return;
    }
    if (received->left == 0 && piece->is_first)
        received->left = payload.size;
    received->left -= piece->length;
    received->bytes += piece->length;
    if (received->left == 0 && piece->is_last)
        received->ids[received->files++ % 16] = piece->file_id;
}

static void receive(struct received *received, struct frame_decoder *decoder)
{
    uint8_t bytes[4096];
    ssize_t count;

    while ((count = read(sockets[1], bytes, sizeof bytes)) > 0) {
        struct frame_piece piece;
        size_t taken;

        for (size_t at = 0;
             frame_decode(decoder, bytes + at, (size_t)count - at, &taken, &piece) == ERR_OK &&
             piece.kind != FRAME_PIECE_NONE && piece.kind != FRAME_PIECE_BAD;
             at += taken)
            take_piece(received, &piece);
    }
}

/* Sends the started files, at most `most` bytes per write, and receives them. */
static void send_all(struct received *received, uint64_t most)
{
    struct frame_decoder decoder;
    uint64_t written;

    frame_decoder_init(&decoder, CHUNK);
    while (loadgen_outgoing_is_waiting(outgoing)) {
        enum err e = loadgen_outgoing_write(outgoing, sockets[0], most, &written);

        cr_assert(e == ERR_OK || e == ERR_AGAIN, "%s", err_name(e));
        cr_assert_leq(written, most);
        receive(received, &decoder);
    }
    frame_decoder_fini(&decoder);
}

static void check_whole_files(uint64_t size, uint64_t most)
{
    struct received received = {0};
    uint64_t since;

    make(size);
    for (uint64_t i = 0; i < WINDOW; i++)
        loadgen_outgoing_start(outgoing, 100 + i);
    cr_assert_not(loadgen_outgoing_has_room(outgoing));
    send_all(&received, most);
    cr_assert_not(received.is_bad);
    cr_assert_eq(received.files, WINDOW);
    cr_assert_eq(received.bytes, WINDOW * size);
    for (uint64_t i = 0; i < WINDOW; i++) {
        cr_assert(loadgen_outgoing_answered(outgoing, received.ids[i], &since));
        cr_assert_eq(since, 100 + i);
    }
    cr_assert_eq(loadgen_outgoing_count(outgoing), 0);
}

Test(loadgen_outgoing, small_files_are_sent_completely, .fini = clean_up, .timeout = 10)
{
    check_whole_files(CHUNK, UINT64_MAX);
}

Test(loadgen_outgoing, an_empty_file_is_one_frame, .fini = clean_up, .timeout = 10)
{
    check_whole_files(0, UINT64_MAX);
}

Test(loadgen_outgoing, large_files_are_sent_completely_in_partial_writes, .fini = clean_up,
     .timeout = 10)
{
    check_whole_files(300 * CHUNK + 1, UINT64_MAX);
}

Test(loadgen_outgoing, files_written_a_byte_at_a_time_are_the_same, .fini = clean_up, .timeout = 10)
{
    check_whole_files(CHUNK / 2, 1);
}

Test(loadgen_outgoing, large_files_written_7_bytes_at_a_time_are_the_same, .fini = clean_up,
     .timeout = 10)
{
    check_whole_files(5 * CHUNK, 7);
}

Test(loadgen_outgoing, an_answer_to_an_unsent_or_unknown_file_is_refused, .fini = clean_up,
     .timeout = 10)
{
    uint64_t since, written;

    make(CHUNK);
    loadgen_outgoing_start(outgoing, 1);
    cr_assert_eq(loadgen_outgoing_write(outgoing, sockets[0], 10, &written), ERR_OK);
    cr_assert_not(loadgen_outgoing_answered(outgoing, 1, &since));
    cr_assert_eq(loadgen_outgoing_write(outgoing, sockets[0], UINT64_MAX, &written), ERR_OK);
    cr_assert_not(loadgen_outgoing_answered(outgoing, 0, &since));
    cr_assert_not(loadgen_outgoing_answered(outgoing, WINDOW + 1, &since));
    cr_assert(loadgen_outgoing_answered(outgoing, 1, &since));
    cr_assert_not(loadgen_outgoing_answered(outgoing, 1, &since));
}

Test(loadgen_outgoing, a_slot_is_reused_when_its_file_is_answered, .fini = clean_up, .timeout = 10)
{
    struct received received = {0};
    uint64_t since;

    make(10);
    for (unsigned i = 0; i < 10; i++) {
        loadgen_outgoing_start(outgoing, i);
        send_all(&received, UINT64_MAX);
        cr_assert(loadgen_outgoing_answered(outgoing, received.ids[i], &since));
        cr_assert_eq(since, i);
    }
    cr_assert_eq(received.files, 10);
}

Test(loadgen_outgoing, a_payload_above_the_limit_is_refused, .timeout = 10)
{
    cr_assert_eq(loadgen_payload_init(&payload, INT32_MAX, CHUNK, LOADGEN_PAYLOAD_WINDOW_MAX),
                 ERR_TOO_LARGE);
}
