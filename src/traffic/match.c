#include "traffic/match.h"

#include "base/mem.h"
#include "condition.h"
#include "route_index.h"
#include "traffic/sticky.h"

struct matcher {
    const struct config *config;
    struct route_index *index;
};

struct matcher *matcher_new(const struct config *config) {
    struct matcher *matcher = mem_zero(1, sizeof *matcher);
    matcher->config = config;
    matcher->index = route_index_new(config);
    return matcher;
}

void matcher_free(struct matcher *matcher) {
    if (!matcher)
        return;
    route_index_free(matcher->index);
    mem_free(matcher);
}

struct search {
    const struct config *config;
    const struct request_view *view;
    struct document *document; // the body, parsed when first asked for
    bool parsed;
    size_t best;     // the first route that matches
    size_t possible; // the first that would if the body said so
};

static bool body_matches(struct search *search, const struct match_config *match) {
    if (match->json.count > 0 && !search->parsed) {
        search->parsed = true;
        search->document = document_parse(search->view->body);
    }
    return condition_json(match, search->document);
}

// Lists come in no order: what counts is the lowest number, so a list is left as soon as it is past it.
static void visit(const struct route_list *list, void *context) {
    struct search *search = context;
    for (const struct route_entry *entry = list->first; entry && entry->route < search->best;
         entry = entry->next) {
        const struct match_config *match = &search->config->routes[entry->route].match;
        if (!condition_head(match, search->view->head))
            continue;
        if (match->json.count > 0 && !search->view->body.at) {
            if (entry->route < search->possible)
                search->possible = entry->route;
        } else if (body_matches(search, match)) {
            search->best = entry->route;
        }
    }
}

// The unit may stand in the body, or the id of a task.
static bool route_needs_body(const struct route_config *route, const struct request_view *view) {
    const struct affinity_config *affinity = route->affinity;
    for (size_t i = 0; affinity && i < affinity->use_count; i++)
        if (affinity->use[i].kind == TASK_JSON)
            return true;
    return sticky_needs_body(&route->sticky, view);
}

size_t matcher_route(const struct matcher *matcher, const struct request_view *view, bool *needs_body) {
    struct search search = {.config = matcher->config, .view = view, .best = NO_ROUTE, .possible = NO_ROUTE};
    route_index_find(matcher->index, view->host, view->path, visit, &search);
    document_free(search.document);
    *needs_body = search.possible < search.best;
    if (*needs_body)
        return NO_ROUTE;
    if (search.best != NO_ROUTE && !view->body.at)
        *needs_body = route_needs_body(&matcher->config->routes[search.best], view);
    return search.best;
}
