// file: reads and writes all there is, whatever signals come in between. Any thread; waits for the disk.
#pragma once
#include "base/slice.h"
#include "base/strbuf.h"

// Appends what the descriptor has, up to its end. False: errno; EFBIG past `most` bytes in `out`.
bool file_read_all(int fd, struct strbuf *out, size_t most);
// The whole slice; false: errno, and a part may be written.
bool file_write_all(int fd, struct slice bytes);
