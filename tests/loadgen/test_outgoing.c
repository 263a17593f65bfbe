#include "loadgen/outgoing.h"

#include "wire/frame.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 1000, WINDOW = 3 };

/* What a receiver makes of the bytes that came. */
struct seen {
    unsigned files;  /* whose last byte came */
    uint64_t bytes;  /* of files */
    uint64_t left;   /* of the present file */
    int32_t ids[16]; /* in the order of their ends */
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

static void take_piece(struct seen *seen, const struct frame_piece *piece)
{
    if (piece->kind != FRAME_PIECE_DATA || (uint64_t)piece->size != payload.size) {
        seen->is_bad = true;
        return;
    }
    if (seen->left == 0 && piece->is_first)
        seen->left = payload.size;
    seen->left -= piece->length;
    seen->bytes += piece->length;
    if (seen->left == 0 && piece->is_last)
        seen->ids[seen->files++ % 16] = piece->file_id;
}

static void receive(struct seen *seen, struct frame_decoder *decoder)
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
            take_piece(seen, &piece);
    }
}

/* Sends what is started, at most `most` bytes a write, and hears it. */
static void send_all(struct seen *seen, uint64_t most)
{
    struct frame_decoder decoder;
    uint64_t written;

    frame_decoder_init(&decoder, CHUNK);
    while (loadgen_outgoing_is_waiting(outgoing)) {
        enum err e = loadgen_outgoing_write(outgoing, sockets[0], most, &written);

        cr_assert(e == ERR_OK || e == ERR_AGAIN, "%s", err_name(e));
        cr_assert_leq(written, most);
        receive(seen, &decoder);
    }
    frame_decoder_fini(&decoder);
}

static void check_whole_files(uint64_t size, uint64_t most)
{
    struct seen seen = {0};
    uint64_t since;

    make(size);
    for (uint64_t i = 0; i < WINDOW; i++)
        loadgen_outgoing_start(outgoing, 100 + i);
    cr_assert_not(loadgen_outgoing_has_room(outgoing));
    send_all(&seen, most);
    cr_assert_not(seen.is_bad);
    cr_assert_eq(seen.files, WINDOW);
    cr_assert_eq(seen.bytes, WINDOW * size);
    for (uint64_t i = 0; i < WINDOW; i++) {
        cr_assert(loadgen_outgoing_answered(outgoing, seen.ids[i], &since));
        cr_assert_eq(since, 100 + i);
    }
    cr_assert_eq(loadgen_outgoing_count(outgoing), 0);
}

Test(loadgen_outgoing, small_files_go_out_whole, .fini = clean_up, .timeout = 10)
{
    check_whole_files(CHUNK, UINT64_MAX);
}

Test(loadgen_outgoing, empty_files_go_out_as_a_frame_each, .fini = clean_up, .timeout = 10)
{
    check_whole_files(0, UINT64_MAX);
}

Test(loadgen_outgoing, large_files_go_out_whole_through_a_narrow_socket, .fini = clean_up,
     .timeout = 10)
{
    check_whole_files(300 * CHUNK + 1, UINT64_MAX);
}

Test(loadgen_outgoing, files_written_a_byte_at_a_time_are_the_same, .fini = clean_up, .timeout = 10)
{
    check_whole_files(CHUNK / 2, 1);
}

Test(loadgen_outgoing, large_files_written_in_odd_bites_are_the_same, .fini = clean_up,
     .timeout = 10)
{
    check_whole_files(5 * CHUNK, 7);
}

Test(loadgen_outgoing, an_answer_before_the_end_or_to_nothing_is_none, .fini = clean_up,
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

Test(loadgen_outgoing, a_place_serves_again_when_its_file_is_answered, .fini = clean_up,
     .timeout = 10)
{
    struct seen seen = {0};
    uint64_t since;

    make(10);
    for (unsigned i = 0; i < 10; i++) {
        loadgen_outgoing_start(outgoing, i);
        send_all(&seen, UINT64_MAX);
        cr_assert(loadgen_outgoing_answered(outgoing, seen.ids[i], &since));
        cr_assert_eq(since, i);
    }
    cr_assert_eq(seen.files, 10);
}

Test(loadgen_outgoing, more_than_is_allowed_to_be_prepared_is_refused, .timeout = 10)
{
    cr_assert_eq(loadgen_payload_init(&payload, INT32_MAX, CHUNK, LOADGEN_PAYLOAD_WINDOW_MAX),
                 ERR_TOO_LARGE);
}
