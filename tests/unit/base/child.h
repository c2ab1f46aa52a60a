// child: runs a function in a child process and gives back how it ended and what it wrote to stderr. Test
// code only.
#pragma once
#include <stddef.h>

// Built with a sanitiser whose allocator answers for itself when memory is out.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CHILD_SANITISED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define CHILD_SANITISED 1
#endif
#endif

// The wait status; text is NUL-terminated and cut at `room`.
int child_run(void (*body)(void), char *text, size_t room);
