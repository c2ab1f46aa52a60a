// What every unit-test file includes: cmocka with the headers it wants before it. A layer's binary has one
// main (tests/unit/<layer>/main.c) that runs the groups each test_x.c offers: `int test_x(void);` returns the
// failures.
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
