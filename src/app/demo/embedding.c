#include "embedding.h"

#include "base/random.h"
#include "control/emit.h"
#include "question.h"

#define DIMENSIONS 16

static uint64_t seed_of(const char *text) { // FNV-1a
    uint64_t hash = 0xcbf29ce484222325ull;
    for (const unsigned char *c = (const unsigned char *)text; *c; c++)
        hash = (hash ^ *c) * 0x100000001b3ull;
    return hash;
}

static void write_vector(struct emit *emit, const char *text, uint64_t index) {
    struct random_state random;
    random_seed_fixed(&random, seed_of(text));
    emit_object(emit);
    emit_text(emit_name(emit, "object"), "embedding");
    emit_u64(emit_name(emit, "index"), index);
    emit_array(emit_name(emit, "embedding"));
    for (int i = 0; i < DIMENSIONS; i++)
        emit_number(emit, (double)(random_next(&random) >> 11) * 0x1p-52 - 1, 6);
    emit_end(emit, ']');
    emit_end(emit, '}');
}

// Writes the vectors; the number of tokens. False when an input is not a text.
static bool write_data(struct emit *emit, const json_t *input, unsigned *tokens) {
    size_t i;
    json_t *text;
    if (json_is_string(input)) {
        *tokens = question_count(json_string_value(input));
        write_vector(emit, json_string_value(input), 0);
        return true;
    }
    json_array_foreach(input, i, text) {
        if (!json_is_string(text))
            return false;
        *tokens += question_count(json_string_value(text));
        write_vector(emit, json_string_value(text), i);
    }
    return json_array_size(input) > 0;
}

static void send_body(struct answer *answer) {
    answer_send(answer, 200, "application/json");
}

void embedding_answer(struct answer *answer, const json_t *body) {
    struct emit emit = {.out = &answer->body};
    const char *model = json_string_value(json_object_get(body, "model"));
    unsigned tokens = 0;
    emit_object(&emit);
    emit_text(emit_name(&emit, "object"), "list");
    emit_array(emit_name(&emit, "data"));
    if (!write_data(&emit, json_object_get(body, "input"), &tokens)) {
        answer_error(answer, 400, "invalid_request_error", "'input' must be a text or a list of texts");
        return;
    }
    emit_end(&emit, ']');
    emit_text(emit_name(&emit, "model"), model ? model : answer->model->id);
    emit_object(emit_name(&emit, "usage"));
    emit_u64(emit_name(&emit, "prompt_tokens"), tokens);
    emit_u64(emit_name(&emit, "total_tokens"), tokens);
    emit_end(&emit, '}');
    emit_end(&emit, '}');
    answer_after(answer, model_latency(answer->model), send_body);
}
