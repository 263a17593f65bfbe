#include "store/name.h"

#include <criterion/criterion.h>

Test(store_name, only_names_of_the_documented_form_are_valid, .timeout = 5)
{
    char name[STORE_NAME_SIZE], other[STORE_NAME_SIZE];

    cr_assert_eq(store_name_choose(name), ERR_OK);
    cr_assert_eq(store_name_choose(other), ERR_OK);
    cr_assert(store_name_is_valid(name), "%s", name);
    cr_assert_str_neq(name, other);
    cr_assert(store_name_is_valid("20261121T031415Z-0123456789abcdef.in"));
    cr_assert_not(store_name_is_valid("20261121T031415Z-0123456789abcdef.in2"));
    cr_assert_not(store_name_is_valid("20261121T031415Z-0123456789abcde.in"));
    cr_assert_not(store_name_is_valid("../61121T031415Z-0123456789abcdef.in"));
    cr_assert_not(store_name_is_valid(""));
    cr_assert_not(store_name_is_valid("journal"));
}
