#include "process.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static uint64_t resident(void) {
    unsigned long long size = 0, pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    // NOLINTNEXTLINE(cert-err34-c): the kernel writes numbers that fit
    int got = fscanf(file, "%llu %llu", &size, &pages);
    fclose(file);
    return got == 2 ? pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

static uint64_t count_entries(const char *path) {
    DIR *directory = opendir(path);
    uint64_t count = 0;
    if (!directory)
        return 0;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += entry->d_name[0] != '.';
    closedir(directory);
    return count;
}

static double seconds(const struct timeval *time) {
    return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

void process_read(struct process_figures *figures) {
    struct rusage usage;
    struct rlimit limit;
    memset(figures, 0, sizeof *figures);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        figures->cpu_seconds = seconds(&usage.ru_utime) + seconds(&usage.ru_stime);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        figures->max_fds = limit.rlim_cur;
    figures->resident_bytes = resident();
    figures->open_fds = count_entries("/proc/self/fd");
    if (figures->open_fds)
        figures->open_fds--; // the one that counted them
    figures->threads = count_entries("/proc/self/task");
}

uint64_t process_raise_fds(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); // the limit that then holds is asked for again
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
}
