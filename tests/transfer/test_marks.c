#include "transfer/marks.h"

#include <criterion/criterion.h>
#include <stddef.h>

TestSuite(transfer_marks, .timeout = 60);

/* Frames of `step` bytes, at offsets `stride` apart, `ahead` of them unacknowledged. */
static const struct marking {
    uint32_t step, stride, frames, ahead;
} markings[] = {
    {1, 15, 1, 0},
    {100, 114, 10, 0},
    {98304, 98318, 32, 31},
    {98304, 98318, 33, 32},
    {98304, 98318, 1000, 20},
    {98304, 98318, 1000, 43},
    {98304, 98318, 20000, 100},
    {98304, 1966360, 20000, 3},
    {1024, 1038, 20000, 4000},
    {65536, 65550, 20000, 0},
    {7, 1000000, 5000, 31},
    {98304, 98318, 20000, 19999},
};

Test(transfer_marks, they_count_no_byte_too_many_and_few_too_few)
{
    for (size_t i = 0; i < sizeof markings / sizeof *markings; i++) {
        const struct marking *m = &markings[i];
        struct transfer_marks marks = {0};

        for (uint32_t frame = 1; frame <= m->frames; frame++) {
            uint32_t passed, whole = frame > m->ahead ? frame - m->ahead : 0, least;

            transfer_marks_add(&marks, (uint64_t)frame * m->stride, frame * m->step,
                               frame == m->frames);
            passed = transfer_marks_passed(&marks, (uint64_t)whole * m->stride + m->stride / 2);
            least = m->ahead / 8 + 1 < whole ? whole - m->ahead / 8 - 1 : 0;
            cr_assert_leq(passed, whole * m->step, "row %zu, frame %u", i, frame);
            cr_assert_geq(passed, least * m->step, "row %zu, frame %u", i, frame);
        }
        cr_expect_eq(transfer_marks_passed(&marks, (uint64_t)m->frames * m->stride),
                     m->frames * m->step);
    }
}
