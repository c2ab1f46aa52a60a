// replay: runs a fuzz target once over kept inputs: FILE, FOLDER (the files in it) or ARCHIVE (of `ar`: its
// members). An input that fails is named, and ends the program.
#include "base/file.h"
#include "base/strbuf.h"
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST (64u << 20)

static char running[512];
static size_t count;

static void name_it(int signal_number) {
    (void)signal_number;
    static const char text[] = "\nthe input was ";
    if (write(2, text, sizeof text - 1) < 0 || write(2, running, strlen(running)) < 0 ||
        write(2, "\n", 1) < 0)
        _exit(1);
}

// In a block of its own size, so that a look past its end is seen.
static void run(const char *file, const char *member, struct slice input) {
    snprintf(running, sizeof running, "%s%s%s", file, *member ? " member " : "", member);
    unsigned char *exact = malloc(input.len ? input.len : 1);
    must(exact);
    if (input.len)
        memcpy(exact, input.at, input.len);
    LLVMFuzzerTestOneInput(exact, input.len);
    free(exact);
    count++;
}

// 60 bytes of text in front of each member: its name in 16, its size in decimal in the ten behind 48; padded
// to even.
static void run_archive(const char *path, struct slice rest) {
    while (rest.len >= 60) {
        char name[17] = "", digits[11] = "";
        memcpy(name, rest.at, 16);
        memcpy(digits, rest.at + 48, 10);
        name[strcspn(name, "/ ")] = '\0';
        size_t size = strtoul(digits, NULL, 10);
        rest = slice_from(rest, 60);
        must(size <= rest.len);
        run(path, name, slice_make(rest.at, size));
        rest = slice_from(rest, size + size % 2);
    }
}

static void run_file(const char *path) {
    static const struct slice archive = {"!<arch>\n", 8};
    struct strbuf text = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || !file_read_all(fd, &text, MOST)) {
        fprintf(stderr, "cannot read %s\n", path);
        exit(1);
    }
    close(fd);
    struct slice bytes = strbuf_as_slice(&text);
    if (slice_starts(bytes, archive))
        run_archive(path, slice_from(bytes, archive.len));
    else
        run(path, "", bytes);
    strbuf_free(&text);
}

static void run_folder(const char *path) {
    struct dirent **names;
    int found = scandir(path, &names, NULL, alphasort);
    for (int i = 0; i < found; i++) {
        char inside[4096];
        snprintf(inside, sizeof inside, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.')
            run_file(inside);
        free(names[i]);
    }
    if (found >= 0)
        free(names);
}

int main(int argc, char **argv) {
    signal(SIGABRT, name_it);
    for (int i = 1; i < argc; i++) {
        struct stat info;
        if (stat(argv[i], &info) == 0 && S_ISDIR(info.st_mode))
            run_folder(argv[i]);
        else
            run_file(argv[i]);
    }
    printf("%zu inputs\n", count);
    return count == 0;
}
