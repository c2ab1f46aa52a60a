// Tasks on disk: read again, and a disk that is full for a while.
#include "../../../src/control/task_journal.h"
#include "base/mem.h"
#include "traffic/tasks.h"
#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/sluice-tasks-XXXXXX";
static struct affinity_config affinity = {.ttl = 86400000, .size = 1000};
static struct route_config route = {.name = "chat", .affinity = &affinity};
static struct config config = {.routes = &route, .route_count = 1};

static int make_folder(void **state) {
    (void)state;
    signal(SIGXFSZ, SIG_IGN);
    return mkdtemp(folder) ? 0 : 1;
}

static int remove_folder(void **state) {
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/tasks.jsonl", folder);
    unlink(path);
    return rmdir(folder); // nothing else was left behind
}

// The table of the route, from the file.
static struct tasks *open_table(struct task_journal *journal) {
    struct plan_route routes[1] = {{.tasks = NULL}};
    struct plan plan = {.config = &config, .routes = routes};
    task_journal_equip(journal, &plan);
    task_journal_adopt(journal, &config);
    return routes[0].tasks;
}

static void learn(struct tasks *tasks, int from, int to) {
    const struct task_home home = {"stable", "http://a:1"};
    char id[32];
    for (int i = from; i < to; i++) {
        int len = snprintf(id, sizeof id, "task-%d", i);
        tasks_learn(tasks, slice_make(id, (size_t)len), &home, 1000);
    }
}

static void limit_files(rlim_t bytes) {
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void a_full_disk_is_waited_for(void **state) {
    (void)state;
    struct task_journal *journal = task_journal_new(folder);
    struct tasks *tasks = open_table(journal);
    learn(tasks, 0, 10);
    task_journal_write(journal);
    limit_files(1200); // some of the next lines have room
    learn(tasks, 10, 50);
    task_journal_write(journal);
    learn(tasks, 50, 60);
    task_journal_write(journal); // tries nothing
    task_journal_tick(journal);  // tries, in vain, and leaves no half file
    char half[128];
    snprintf(half, sizeof half, "%s/tasks.new", folder);
    assert_int_not_equal(access(half, F_OK), 0);
    limit_files(RLIM_INFINITY);
    learn(tasks, 60, 70);
    task_journal_write(journal);
    task_journal_tick(journal);
    learn(tasks, 70, 80);
    task_journal_free(journal);

    journal = task_journal_new(folder);
    open_table(journal);
    assert_int_equal(task_journal_known(journal, "chat"), 80);
    task_journal_free(journal);
}

// A time that no clock shows is a damaged line: it must not keep its task for ever.
static void a_time_out_of_bounds_is_damage(void **state) {
    (void)state;
    char path[128];
    snprintf(path, sizeof path, "%s/tasks.jsonl", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 3; i++)
        fprintf(file,
                "{\"route\":\"chat\",\"id\":\"task-%d\",\"variant\":\"v\",\"endpoint\":\"http://"
                "a\",\"used_ms\":%s}\n",
                i,
                i == 0   ? "1e300"
                : i == 1 ? "9007199254740992"
                         : "9007199254740994");
    assert_int_equal(fclose(file), 0);
    struct task_journal *journal = task_journal_new(folder);
    open_table(journal);
    assert_int_equal(task_journal_known(journal, "chat"), 1);
    task_journal_free(journal);
}

int test_task_journal(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_disk_is_waited_for),
        cmocka_unit_test(a_time_out_of_bounds_is_damage),
    };
    return cmocka_run_group_tests_name("task_journal", tests, make_folder, remove_folder);
}
