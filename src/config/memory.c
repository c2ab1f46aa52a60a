// `limits.memory`: how much there is, and which part of it requests may hold.
#include "schema.h"
#include "value.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MEMORY_LEAST (1 << 20)

// A control group's limit, by what the kernel shows inside it; INT64_MAX: none, or none that can be seen.
static int64_t group_limit(const char *path) {
    char text[32] = "";
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return INT64_MAX;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    char *end = text;
    long long bytes = n > 0 ? strtoll(text, &end, 10) : 0;
    return end == text || bytes <= 0 ? INT64_MAX : (int64_t)bytes; // "max" is no number
}

static int64_t machine(void) {
    long pages = sysconf(_SC_PHYS_PAGES), bytes = sysconf(_SC_PAGESIZE);
    return pages > 0 && bytes > 0 ? (int64_t)pages * bytes : INT64_MAX;
}

static int64_t half_of_what_there_is(void) {
    int64_t all = machine(), one = group_limit("/sys/fs/cgroup/memory.max"),
            other = group_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes");
    all = one < all ? one : all;
    all = other < all ? other : all;
    return all == INT64_MAX || all / 2 > MEMORY_LEAST ? all / 2 : MEMORY_LEAST;
}

void read_memory(struct settle *settle, const struct node *node, void *field) {
    int64_t *memory = field;
    if (node->kind == NODE_SCALAR && strcmp(node->text, "auto") == 0)
        *memory = half_of_what_there_is();
    else if (node->kind == NODE_SCALAR && strcmp(node->text, "off") == 0)
        *memory = INT64_MAX;
    else if (node->kind != NODE_SCALAR || !value_size(node->text, memory) || *memory < MEMORY_LEAST)
        settle_wrong(settle, node, "`memory`", "`auto`, `off` or a size from 1MiB");
}
