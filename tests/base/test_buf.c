#include "base/buf.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static struct buf b;

static void clean_up(void)
{
    buf_clear(&b);
}

Test(buf, holds_no_memory_while_empty, .fini = clean_up, .timeout = 5)
{
    cr_assert_eq(buf_length(&b), 0u);
    cr_assert_null(buf_bytes(&b));
    cr_assert_eq(buf_add(&b, NULL, 0), ERR_OK);
    cr_assert_null(b.bytes);
    cr_assert_eq(buf_add(&b, "abc", 3), ERR_OK);
    buf_take(&b, 3);
    cr_assert_null(b.bytes);
    buf_clear(&b);
}

Test(buf, returns_bytes_in_order, .fini = clean_up, .timeout = 5)
{
    cr_assert_eq(buf_add(&b, "hello", 5), ERR_OK);
    buf_take(&b, 2);
    cr_assert_eq(buf_add(&b, " you", 4), ERR_OK);
    cr_assert_eq(buf_length(&b), 7u);
    cr_assert_arr_eq(buf_bytes(&b), "llo you", 7);
}

Test(buf, truncates, .fini = clean_up, .timeout = 5)
{
    buf_add(&b, "hello", 5);
    buf_take(&b, 1);
    buf_cut(&b, 9);
    cr_assert_eq(buf_length(&b), 4u, "longer than there is: nothing to cut");
    buf_cut(&b, 2);
    cr_assert_eq(buf_length(&b), 2u);
    cr_assert_arr_eq(buf_bytes(&b), "el", 2);
    buf_add(&b, "k", 1);
    cr_assert_arr_eq(buf_bytes(&b), "elk", 3);
    buf_cut(&b, 0);
    cr_assert_null(b.bytes);
}

Test(buf, rejects_more_than_its_limit_and_keeps_its_content, .fini = clean_up, .timeout = 5)
{
    static char much[BUF_LIMIT + 1];

    cr_assert_eq(buf_add(&b, much, sizeof much), ERR_TOO_LARGE);
    cr_assert_eq(buf_add(&b, much, SIZE_MAX), ERR_TOO_LARGE);
    cr_assert_null(b.bytes);
    cr_assert_eq(buf_add(&b, much, BUF_LIMIT), ERR_OK);
    cr_assert_eq(buf_add(&b, much, 1), ERR_TOO_LARGE);
    cr_assert_eq(buf_length(&b), (size_t)BUF_LIMIT);
    buf_take(&b, 10);
    cr_assert_eq(buf_add(&b, much, 11), ERR_TOO_LARGE);
    cr_assert_eq(buf_add(&b, much, 10), ERR_OK);
}

Test(buf, matches_a_counter_under_random_use, .fini = clean_up, .timeout = 30)
{
    unsigned seed = 1;
    uint8_t chunk[700];
    uint8_t in = 0, out = 0; /* the next byte to add, to take */
    size_t length = 0;

    for (unsigned round = 0; round < 20000; round++) {
        size_t count = (size_t)rand_r(&seed) % sizeof chunk;

        if (rand_r(&seed) % 2 == 0 && length < 100000) {
            for (size_t i = 0; i < count; i++)
                chunk[i] = in++;
            cr_assert_eq(buf_add(&b, chunk, count), ERR_OK);
            length += count;
        } else {
            if (count > length)
                count = length;
            for (size_t i = 0; i < count; i++)
                if (buf_bytes(&b)[i] != out++)
                    cr_assert_fail("wrong byte");
            buf_take(&b, count);
            length -= count;
        }
        cr_assert_eq(buf_length(&b), length);
    }
}
