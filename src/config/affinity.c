// The places where ids of tasks stand: `json /id`, `header Location`, `path_segment`, `query task`.
#include "schema.h"
#include "value.h"

#define PLACES_MOST  8
#define POINTER_MOST 4  // names of a pointer that is looked for in answers
#define NAME_MOST    24 // bytes of each

// Answers are read as they pass: of their pointers only a few short names can be followed.
static bool followable(const char *pointer) {
    size_t names = 0;
    while (*pointer == '/') {
        size_t len = strcspn(pointer + 1, "/");
        if (len == 0 || len > NAME_MOST || memchr(pointer + 1, '~', len) || ++names > POINTER_MOST)
            return false;
        pointer += 1 + len;
    }
    return names > 0;
}

static bool name_fits(struct settle *settle, const struct node *node, enum task_place_kind kind,
                      const char *name, bool in_answers) {
    if (kind == TASK_HEADER && !token_valid(name)) {
        report_add(settle->report, node->place, NULL, "\"%.100s\" is not the name of a header", name);
        return false;
    }
    if (kind == TASK_JSON && (!pointer_valid(name) || !*name)) {
        report_add(settle->report, node->place, "write json /field", "\"%.100s\" is not a JSON pointer",
                   name);
        return false;
    }
    if (kind == TASK_JSON && in_answers && !followable(name)) {
        report_add(
            settle->report, node->place, NULL,
            "answers are looked through for pointers of at most %d names of at most %d bytes without `~`",
            POINTER_MOST, NAME_MOST);
        return false;
    }
    return true;
}

static bool read_place(struct settle *settle, const struct node *node, bool in_answers,
                       struct task_place *place) {
    static const char *const kinds[] = {"json", "header", "path_segment", "query"};
    size_t known = in_answers ? 2 : 4, kind = 0;
    const char *what = in_answers ? "an entry of `learn`" : "an entry of `use`";
    if (!settle_kind(settle, node, NODE_SCALAR, what))
        return false;
    size_t len = strcspn(node->text, " ");
    const char *word = arena_string(settle->arena, slice_make(node->text, len));
    const char *name = node->text + len + strspn(node->text + len, " ");
    while (kind < known && strcmp(kinds[kind], word) != 0)
        kind++;
    if (kind == known) {
        report_add(settle->report, node->place, suggest(settle->arena, word, kinds, known),
                   in_answers ? "`learn` knows json and header, not \"%.100s\""
                              : "`use` knows json, header, path_segment and query, not \"%.100s\"",
                   word);
        return false;
    }
    *place = (struct task_place){(enum task_place_kind)kind, kind == TASK_PATH_SEGMENT ? NULL : name};
    if (kind == TASK_PATH_SEGMENT ? *name != 0 : *name == 0) {
        report_add(settle->report, node->place, NULL,
                   kind == TASK_PATH_SEGMENT ? "`%s` takes no name" : "`%s` needs a name behind it", word);
        return false;
    }
    return name_fits(settle, node, place->kind, name, in_answers);
}

static void read_places(struct settle *settle, const struct node *node, bool in_answers,
                        struct task_place **places, size_t *count) {
    *count = 0;
    if (!settle_kind(settle, node, NODE_LIST, in_answers ? "`learn`" : "`use`"))
        return;
    if (node->count == 0 || node->count > PLACES_MOST) {
        report_add(settle->report, node->place, NULL, "%s must have 1 to %d entries",
                   in_answers ? "`learn`" : "`use`", PLACES_MOST);
        return;
    }
    *places = arena_zero(settle->arena, node->count, sizeof **places);
    for (size_t i = 0; i < node->count; i++)
        if (read_place(settle, node->items[i], in_answers, &(*places)[*count]))
            ++*count;
}

void read_task_learn(struct settle *settle, const struct node *node, void *field) {
    struct affinity_config *affinity = field;
    read_places(settle, node, true, &affinity->learn, &affinity->learn_count);
}

void read_task_use(struct settle *settle, const struct node *node, void *field) {
    struct affinity_config *affinity = field;
    read_places(settle, node, false, &affinity->use, &affinity->use_count);
}
