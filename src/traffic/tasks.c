#include "traffic/tasks.h"

#include "base/hash.h"
#include "base/list.h"
#include "base/mem.h"

#include <pthread.h>

// Of its time to live: a task that is asked for is written down again when so much of it has passed.
#define WRITTEN_PARTS 8

struct task {
    struct link used;  // least recently used first
    struct task *next; // in its chain
    uint64_t hash, used_ms, written_ms;
    struct link fresh; // in the list of what is to be written down
    size_t id_len;
    char *id, *variant, *endpoint; // one block behind the struct
};
struct tasks {
    pthread_mutex_t lock;
    char *route;
    size_t size, count, bucket_count; // a power of two
    int64_t ttl_ms;
    struct task **buckets;
    struct link used, fresh;
    uint64_t found, gone;
};

struct tasks *tasks_new(const char *route) {
    struct tasks *tasks = mem_zero(1, sizeof *tasks);
    pthread_mutex_init(&tasks->lock, NULL);
    tasks->route = mem_copy_string(route);
    tasks->bucket_count = 64;
    tasks->buckets = mem_zero(tasks->bucket_count, sizeof *tasks->buckets);
    tasks->size = SIZE_MAX;
    tasks->ttl_ms = INT64_MAX / 2;
    list_init(&tasks->used);
    list_init(&tasks->fresh);
    return tasks;
}

const char *tasks_route(const struct tasks *tasks) {
    return tasks->route;
}

static struct task **chain_of(const struct tasks *tasks, uint64_t hash) {
    return &tasks->buckets[hash & (tasks->bucket_count - 1)];
}

static struct task *look_up(const struct tasks *tasks, struct slice id, uint64_t hash) {
    for (struct task *task = *chain_of(tasks, hash); task; task = task->next)
        if (task->hash == hash && slice_equal(id, slice_make(task->id, task->id_len)))
            return task;
    return NULL;
}

static void grow(struct tasks *tasks) {
    size_t before = tasks->bucket_count;
    struct task **old = tasks->buckets;
    tasks->bucket_count = 2 * before;
    tasks->buckets = mem_zero(tasks->bucket_count, sizeof *tasks->buckets);
    for (size_t i = 0; i < before; i++) {
        for (struct task *task = old[i], *next; task; task = next) {
            next = task->next;
            struct task **chain = chain_of(tasks, task->hash);
            task->next = *chain;
            *chain = task;
        }
    }
    mem_free(old);
}

static void forget(struct tasks *tasks, struct task *task) {
    struct task **at = chain_of(tasks, task->hash);
    while (*at != task)
        at = &(*at)->next;
    *at = task->next;
    list_remove(&task->fresh);
    list_remove(&task->used);
    tasks->count--;
    mem_free(task);
}

static struct task *oldest(const struct tasks *tasks) {
    return list_empty(&tasks->used) ? NULL : list_entry(tasks->used.next, struct task, used);
}

static void forget_old(struct tasks *tasks, uint64_t now_ms) {
    struct task *task;
    while ((task = oldest(tasks)) &&
           (tasks->count > tasks->size || task->used_ms + (uint64_t)tasks->ttl_ms < now_ms))
        forget(tasks, task);
}

void tasks_free(struct tasks *tasks) {
    if (!tasks)
        return;
    for (struct task *task; (task = oldest(tasks));)
        forget(tasks, task);
    pthread_mutex_destroy(&tasks->lock);
    mem_free(tasks->buckets);
    mem_free(tasks->route);
    mem_free(tasks);
}

void tasks_limit(struct tasks *tasks, size_t size, int64_t ttl_ms) {
    pthread_mutex_lock(&tasks->lock);
    tasks->size = size;
    tasks->ttl_ms = ttl_ms;
    forget_old(tasks, 0);
    pthread_mutex_unlock(&tasks->lock);
}

// ---- what is written down

static bool note_fresh(struct tasks *tasks, struct task *task) {
    bool first = list_empty(&tasks->fresh);
    if (list_linked(&task->fresh))
        return false;
    list_push(&tasks->fresh, &task->fresh);
    return first;
}

static void write_line(const struct tasks *tasks, struct task *task, struct strbuf *out) {
    strbuf_literal(out, "{\"route\":");
    strbuf_json(out, slice_of(tasks->route));
    strbuf_literal(out, ",\"id\":");
    strbuf_json(out, slice_make(task->id, task->id_len));
    strbuf_literal(out, ",\"variant\":");
    strbuf_json(out, slice_of(task->variant));
    strbuf_literal(out, ",\"endpoint\":");
    strbuf_json(out, slice_of(task->endpoint));
    strbuf_format(out, ",\"used_ms\":%llu}\n", (unsigned long long)task->used_ms);
    task->written_ms = task->used_ms;
}

void tasks_fresh(struct tasks *tasks, struct strbuf *out) {
    pthread_mutex_lock(&tasks->lock);
    for (struct link *at; (at = list_pop(&tasks->fresh));)
        write_line(tasks, list_entry(at, struct task, fresh), out);
    pthread_mutex_unlock(&tasks->lock);
}

void tasks_all(struct tasks *tasks, struct strbuf *out) {
    pthread_mutex_lock(&tasks->lock);
    for (struct link *at = tasks->used.next; at != &tasks->used; at = at->next)
        write_line(tasks, list_entry(at, struct task, used), out);
    pthread_mutex_unlock(&tasks->lock);
}

// ---- learning and finding

static struct task *task_new(struct slice id, uint64_t hash, const struct task_home *home) {
    size_t variant = strlen(home->variant) + 1, endpoint = strlen(home->endpoint) + 1;
    struct task *task = mem_zero(1, sizeof *task + id.len + 1 + variant + endpoint);
    task->hash = hash;
    task->id_len = id.len;
    task->id = (char *)(task + 1);
    task->variant = task->id + id.len + 1;
    task->endpoint = task->variant + variant;
    memcpy(task->id, id.at, id.len);
    memcpy(task->variant, home->variant, variant);
    memcpy(task->endpoint, home->endpoint, endpoint);
    return task;
}

static void use(struct tasks *tasks, struct task *task, uint64_t now_ms) {
    task->used_ms = now_ms;
    list_remove(&task->used);
    list_push(&tasks->used, &task->used);
}

static bool sane(struct slice id) {
    return id.len > 0 && id.len <= TASK_ID_MOST;
}

bool tasks_learn(struct tasks *tasks, struct slice id, const struct task_home *home, uint64_t now_ms) {
    if (!sane(id))
        return false;
    uint64_t hash = hash_bytes(0, id);
    pthread_mutex_lock(&tasks->lock);
    struct task *task = look_up(tasks, id, hash);
    bool same =
        task && strcmp(task->variant, home->variant) == 0 && strcmp(task->endpoint, home->endpoint) == 0;
    if (task && !same)
        forget(tasks, task);
    if (!same) {
        if (tasks->count >= tasks->bucket_count)
            grow(tasks);
        task = task_new(id, hash, home);
        struct task **chain = chain_of(tasks, hash);
        task->next = *chain;
        *chain = task;
        list_push(&tasks->used, &task->used);
        tasks->count++;
    }
    use(tasks, task, now_ms);
    bool fresh = !same && note_fresh(tasks, task);
    forget_old(tasks, now_ms);
    pthread_mutex_unlock(&tasks->lock);
    return fresh;
}

static void copy(char *room, size_t size, const char *text) {
    size_t len = strlen(text);
    len = len < size ? len : size - 1;
    memcpy(room, text, len);
    room[len] = '\0';
}

bool tasks_find(struct tasks *tasks, const struct slice *ids, size_t count, uint64_t now_ms,
                struct task_room *room, bool *fresh) {
    struct task *task = NULL;
    *fresh = false;
    pthread_mutex_lock(&tasks->lock);
    forget_old(tasks, now_ms);
    for (size_t i = 0; i < count && !task && tasks->count; i++)
        if (sane(ids[i]))
            task = look_up(tasks, ids[i], hash_bytes(0, ids[i]));
    if (task) {
        copy(room->variant, sizeof room->variant, task->variant);
        copy(room->endpoint, sizeof room->endpoint, task->endpoint);
        use(tasks, task, now_ms);
        tasks->found++;
        if (now_ms > task->written_ms + (uint64_t)tasks->ttl_ms / WRITTEN_PARTS)
            *fresh = note_fresh(tasks, task);
    }
    pthread_mutex_unlock(&tasks->lock);
    return task != NULL;
}

void tasks_note_gone(struct tasks *tasks) {
    pthread_mutex_lock(&tasks->lock);
    tasks->gone++;
    tasks->found--;
    pthread_mutex_unlock(&tasks->lock);
}

void tasks_read(struct tasks *tasks, struct tasks_figures *figures) {
    pthread_mutex_lock(&tasks->lock);
    *figures = (struct tasks_figures){tasks->count, tasks->found, tasks->gone};
    pthread_mutex_unlock(&tasks->lock);
}
