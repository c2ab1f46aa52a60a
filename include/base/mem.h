// mem: allocation that cannot fail (out of memory aborts in one place) and the check for the impossible.
// Any thread. Memory from here is released with mem_free only.
#pragma once
#include <stddef.h>

void *mem_alloc(size_t size);                      // uninitialised
void *mem_zero(size_t count, size_t size);         // zeroed; overflow of count*size aborts
void *mem_zero_aligned(size_t align, size_t size); // zeroed; align a power of two; size rounded up to it
void *mem_resize(void *old, size_t size);
char *mem_copy_string(const char *text); // NULL stays NULL
void mem_free(void *memory);             // NULL is allowed

_Noreturn void must_fail(const char *condition, const char *file, int line);
// must(): states what cannot be otherwise; always on, aborts with the place.
#define must(condition) ((condition) ? (void)0 : must_fail(#condition, __FILE__, __LINE__))
