#include "base/text.h"
#include "wire/capture_frames.h"
#include "wire/frames_seen.h"

#include <stdio.h>

static uint8_t *transcript;
static size_t transcript_length;

static void load(const char *file)
{
    char path[512];
    FILE *in;

    snprintf(path, sizeof path, "%s/captures/%s", TESTS_DIR, file);
    in = fopen(path, "rb");
    cr_assert_not_null(in, "%s", path);
    cr_assert_eq(fseek(in, 0, SEEK_END), 0);
    transcript_length = (size_t)ftell(in);
    rewind(in);
    transcript = malloc(transcript_length);
    cr_assert_not_null(transcript);
    cr_assert_eq(fread(transcript, 1, transcript_length, in), transcript_length);
    fclose(in);
}

/* Byte i of every file is i * 7 mod 251, across its frames. */
static void expect_content(const struct capture *c, size_t index, const struct frame_seen *frame)
{
    size_t offset = 0;

    for (size_t i = 0; i < index; i++)
        if (c->frames[i].command == 'd' && c->frames[i].file_id == frame->file_id)
            offset += c->frames[i].data_bytes;
    for (size_t i = 0; i < buf_length(&frame->payload); i++)
        cr_assert_eq(buf_bytes(&frame->payload)[i], (offset + i) * 7 % 251);
}

static void expect_frames(const struct capture *c, struct frames_seen *seen)
{
    size_t whole = seen->count;

    if (whole > 0 && !seen->frames[whole - 1].is_whole)
        whole--;
    cr_assert_null(seen->bad, "%s: %s", c->file, seen->bad);
    cr_assert_eq(whole, c->frame_count, "%s: %zu frames", c->file, whole);
    cr_assert_eq(seen->count != whole, c->unfinished_bytes > 0);
    for (size_t i = 0; i < whole; i++) {
        const struct capture_frame *f = &c->frames[i];

        if (f->command == 'd') {
            cr_assert_eq(buf_length(&seen->frames[i].payload), f->data_bytes);
            seen_expect(seen, i, 'd', f->file_id, f->size, buf_bytes(&seen->frames[i].payload),
                        f->data_bytes);
            expect_content(c, i, &seen->frames[i]);
        } else {
            seen_expect(seen, i, f->command, f->file_id, 0, f->text, strlen(f->text));
        }
    }
}

static void add_again(struct buf *out, const struct frame_seen *frame)
{
    char *text = text_dup(buf_bytes(&frame->payload), buf_length(&frame->payload)), *colon, *space;
    uint8_t header[FRAME_DATA_HEADER_SIZE];

    cr_assert_not_null(text);
    switch (frame->command) {
    case FRAME_HELLO:
        colon = strchr(text, ':');
        space = strchr(text, ' ');
        *colon = *space = '\0';
        cr_assert_eq(frame_add_hello(out, text, (uint16_t)atoi(colon + 1), space + 1), ERR_OK);
        break;
    case FRAME_WAZAP:
        cr_assert_eq(frame_add_wazap(out, text), ERR_OK);
        break;
    case FRAME_OK:
        cr_assert_eq(frame_add_ok(out, frame->file_id), ERR_OK);
        break;
    case FRAME_ABORT:
        cr_assert_eq(frame_add_abort(out, frame->file_id, text), ERR_OK);
        break;
    default:
        frame_write_data_header(header, frame->file_id, frame->size, buf_length(&frame->payload));
        cr_assert_eq(buf_add(out, header, sizeof header), ERR_OK);
        cr_assert_eq(buf_add(out, text, buf_length(&frame->payload)), ERR_OK);
    }
    free(text);
}

/* Re-encoding gives the same bytes at the same offsets. */
static void expect_same_bytes_again(const struct capture *c, const struct frames_seen *seen)
{
    struct buf again = {0};

    for (size_t i = 0; i < c->frame_count; i++) {
        cr_assert_eq(buf_length(&again), c->frames[i].offset);
        add_again(&again, &seen->frames[i]);
    }
    cr_assert_eq(buf_length(&again), transcript_length - c->unfinished_bytes);
    cr_assert_arr_eq(buf_bytes(&again), transcript, buf_length(&again));
    buf_clear(&again);
}

static void walk(const struct capture *c, size_t chunk)
{
    static struct frames_seen seen;

    seen_init(&seen, 4096);
    for (size_t at = 0; at < transcript_length; at += chunk) {
        size_t left = transcript_length - at;

        seen_feed(&seen, transcript + at, left < chunk ? left : chunk);
    }
    expect_frames(c, &seen);
    expect_same_bytes_again(c, &seen);
    seen_fini(&seen);
}

Test(captures, decode_to_the_frames_listed_and_encode_to_the_same_bytes, .timeout = 60)
{
    static const size_t chunks[] = {1 << 20, 65536, 1448, 13, 1};

    for (size_t i = 0; i < CAPTURE_COUNT; i++) {
        load(captures[i].file);
        cr_assert_eq(transcript_length, captures[i].bytes);
        for (size_t j = 0; j < sizeof chunks / sizeof *chunks; j++)
            walk(&captures[i], chunks[j]);
        free(transcript);
    }
}

Test(captures, have_hellos_that_the_parser_takes, .timeout = 10)
{
    unsigned hellos = 0;

    for (size_t i = 0; i < CAPTURE_COUNT; i++) {
        const struct capture_frame *f = &captures[i].frames[0];
        struct hello hello;

        if (f->command != 'h')
            continue;
        hellos++;
        cr_assert_eq(hello_parse(&hello, (const uint8_t *)f->text, strlen(f->text)), ERR_OK);
        cr_assert(hello.is_port_usable);
        cr_assert_eq(hello.host_length, 9u);
        cr_assert_arr_eq(hello.host, "127.0.0.1", 9);
        cr_assert_eq(hello.idurl_length, strlen("http://127.0.0.1:8000/alice.xml"));
    }
    cr_assert_eq(hellos, 9u);
}
