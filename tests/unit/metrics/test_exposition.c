#include "base/mem.h"
#include "metrics/exemplar.h"
#include "metrics/exposition.h"
#include "unit.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *text_of_u64(struct exposition *out, enum family family, const struct label *labels,
                               size_t count, uint64_t value) {
    strbuf_clear(&out->text);
    exposition_u64(out, family, labels, count, value);
    return strbuf_text(&out->text);
}

static void a_family_has_help_and_type(void **state) {
    (void)state;
    struct exposition out = {0};
    exposition_family(&out, FAMILY_CLIENT_CONNECTIONS);
    assert_string_equal(strbuf_text(&out.text),
                        "# HELP sluice_client_connections Client connections that are open now.\n"
                        "# TYPE sluice_client_connections gauge\n");
    strbuf_free(&out.text);
}

static void label_values_are_escaped(void **state) {
    (void)state;
    struct exposition out = {0};
    struct label labels[] = {{"pool", "a\"b\\c\nd"}, {"endpoint", "http://h:1"}};
    assert_string_equal(text_of_u64(&out, FAMILY_ENDPOINT_UP, labels, 2, 1),
                        "sluice_endpoint_up{pool=\"a\\\"b\\\\c\\nd\",endpoint=\"http://h:1\"} 1\n");
    assert_string_equal(text_of_u64(&out, FAMILY_PROCESS_THREADS, NULL, 0, UINT64_MAX),
                        "process_threads 18446744073709551615\n");
    strbuf_free(&out.text);
}

static void doubles_read_back(void **state) {
    (void)state;
    const double values[] = {0, 0.1, 1.0 / 3, 5, 99.99, 1e21, 1735689600.123, DBL_MIN, -2.5, DBL_MAX};
    struct exposition out = {0};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        strbuf_clear(&out.text);
        exposition_double(&out, FAMILY_PROCESS_CPU, NULL, 0, values[i]);
        const char *text = strbuf_text(&out.text);
        assert_memory_equal(text, "process_cpu_seconds_total ", 26);
        assert_true(strtod(text + 26, NULL) == values[i]);
    }
    const struct {
        double value;
        const char *text;
    } special[] = {{0.1, "0.1\n"}, {INFINITY, "+Inf\n"}, {-INFINITY, "-Inf\n"}, {NAN, "NaN\n"}};
    for (size_t i = 0; i < 4; i++) {
        strbuf_clear(&out.text);
        exposition_double(&out, FAMILY_PROCESS_CPU, NULL, 0, special[i].value);
        assert_string_equal(strbuf_text(&out.text) + 26, special[i].text);
    }
    strbuf_free(&out.text);
}

static size_t occurrences(const char *text, const char *part) {
    size_t count = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        count++;
    return count;
}

static struct registry *sample_registry(void) {
    struct registry *registry = registry_new(2);
    struct variant_series *canary = registry_variant(registry, "chat", "canary");
    struct variant_series *stable = registry_variant(registry, "chat", "stable");
    registry_variant(registry, "-", "-");
    counter_add(&canary->lanes[0]->requests[CODE_2XX], 3);
    counter_add(&canary->lanes[1]->requests[CODE_2XX], 4);
    counter_add(&canary->lanes[1]->errors[ERROR_REASON_CUT_SHORT], 2);
    counter_add(&canary->lanes[0]->errors[ERROR_REASON_NONE], 9); // not an error, not shown
    counter_add(&canary->lanes[0]->retries[RETRY_REASON_STALE], 1);
    counter_add(&stable->lanes[1]->retries[RETRY_REASON_STALE], 10);
    counter_add(&canary->lanes[1]->fallbacks, 6);
    counter_add(&canary->lanes[0]->rate_limited, 3);
    counter_add(&canary->lanes[1]->rate_limited, 4);
    counter_add(&stable->lanes[0]->request_bytes, 1000);
    counter_add(&stable->lanes[0]->response_bytes, 2000);
    variant_tokens(canary->lanes[0], 12, 34, 0.25);
    variant_tokens(canary->lanes[1], 100, 0, 0.0000125);
    latency_add(&canary->lanes[0]->duration, 1000);      // le 0.001
    latency_add(&canary->lanes[1]->duration, 1001);      // le 0.0025
    latency_add(&canary->lanes[1]->duration, 200000007); // +Inf only
    spread_add(&canary->lanes[1]->first_byte, 30000000);
    return registry;
}

static void every_counter_has_its_line(void **state) {
    (void)state;
    struct registry *registry = sample_registry();
    struct exposition out = {0};
    exposition_variants(&out, registry);
    const char *text = strbuf_text(&out.text);
    const char *lines[] = {
        "\nsluice_requests_total{route=\"chat\",variant=\"canary\",code=\"2xx\"} 7\n",
        "\nsluice_requests_total{route=\"chat\",variant=\"stable\",code=\"499\"} 0\n",
        "\nsluice_requests_total{route=\"-\",variant=\"-\",code=\"4xx\"} 0\n",
        "\nsluice_request_errors_total{route=\"chat\",variant=\"canary\",reason=\"cut_short\"} 2\n",
        "\nsluice_request_duration_seconds_bucket{route=\"chat\",variant=\"canary\",le=\"0.001\"} 1\n",
        "\nsluice_request_duration_seconds_bucket{route=\"chat\",variant=\"canary\",le=\"0.0025\"} 2\n",
        "\nsluice_request_duration_seconds_bucket{route=\"chat\",variant=\"canary\",le=\"120\"} 2\n",
        "\nsluice_request_duration_seconds_bucket{route=\"chat\",variant=\"canary\",le=\"+Inf\"} 3\n",
        "\nsluice_request_duration_seconds_sum{route=\"chat\",variant=\"canary\"} 200.002008\n",
        "\nsluice_request_duration_seconds_count{route=\"chat\",variant=\"canary\"} 3\n",
        "\nsluice_time_to_first_byte_seconds_bucket{route=\"chat\",variant=\"canary\",le=\"20\"} 0\n",
        "\nsluice_time_to_first_byte_seconds_bucket{route=\"chat\",variant=\"canary\",le=\"30\"} 1\n",
        "\nsluice_request_bytes_total{route=\"chat\",variant=\"stable\"} 1000\n",
        "\nsluice_response_bytes_total{route=\"chat\",variant=\"stable\"} 2000\n",
        "\nsluice_tokens_total{route=\"chat\",variant=\"canary\",type=\"prompt\"} 112\n",
        "\nsluice_tokens_total{route=\"chat\",variant=\"canary\",type=\"completion\"} 34\n",
        "\nsluice_tokens_total{route=\"chat\",variant=\"stable\",type=\"prompt\"} 0\n",
        "\nsluice_cost_dollars_total{route=\"chat\",variant=\"canary\"} 0.2500125\n",
        "\nsluice_cost_dollars_total{route=\"chat\",variant=\"stable\"} 0\n",
        "\nsluice_retries_total{route=\"chat\",reason=\"stale\"} 11\n",
        "\nsluice_fallbacks_total{route=\"chat\",from=\"canary\"} 6\n",
        "\nsluice_rate_limited_total{route=\"chat\",variant=\"canary\"} 7\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (occurrences(text, lines[i]) != 1)
            fail_msg("not once: %s in %s", lines[i], text);
    assert_null(strstr(text, "reason=\"none\""));
    // Stable series: every class and reason of every variant is there from the start.
    assert_int_equal(occurrences(text, "\nsluice_requests_total{"), 3 * CODE_CLASSES);
    assert_int_equal(occurrences(text, "\nsluice_request_errors_total{"), 3 * (ERROR_REASONS - 1));
    assert_int_equal(occurrences(text, "\nsluice_retries_total{"), 2 * RETRY_REASONS);
    assert_int_equal(occurrences(text, "\nsluice_request_duration_seconds_bucket{"),
                     3 * (LATENCY_BOUNDS + 1));
    strbuf_free(&out.text);
    registry_free(registry);
}

// The format wants a family's samples together and its header once.
static void families_stand_together(void **state) {
    (void)state;
    struct registry *registry = sample_registry();
    struct exposition out = {0};
    exposition_variants(&out, registry);
    char *text = mem_copy_string(strbuf_text(&out.text)), *rest = NULL;
    char family[128] = "";
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (strncmp(line, "# HELP ", 7) == 0) {
            snprintf(family, sizeof family, "%.*s", (int)strcspn(line + 7, " "), line + 7);
            char header[160];
            snprintf(header, sizeof header, "# HELP %s ", family);
            assert_int_equal(occurrences(strbuf_text(&out.text), header), 1);
        } else if (line[0] != '#') {
            assert_memory_equal(line, family, strlen(family));
        }
    }
    mem_free(text);
    strbuf_clear(&out.text);
    registry_free(registry);
    registry = registry_new(1);
    exposition_variants(&out, registry); // no series, no families
    assert_int_equal(out.text.len, 0);
    registry_free(registry);
    strbuf_free(&out.text);
}

static void a_scraper_gets_the_format_it_wants_most(void **state) {
    (void)state;
    static const struct {
        const char *accept;
        bool openmetrics;
    } cases[] = {
        {NULL, false},
        {"", false},
        {"*/*", false},
        {"text/plain", false},
        {"application/openmetrics-text", true},
        {"Application/OpenMetrics-Text; version=1.0.0", true},
        {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
         "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
         true}, // Prometheus
        {"application/openmetrics-text;q=0.5, text/plain;q=0.75", false},
        {"application/openmetrics-text;q=0.5, text/plain;q=0.5", true},
        {"application/openmetrics-text;q=0, */*", false},
        {"application/openmetrics-text;q=0.001", true},
        {"application/openmetrics-text;q=", true}, // no weight
        {"application/openmetrics-text;q, text/plain;q=0.9", true},
        {"application/openmetrics-text;q=0.5:, text/plain;q=0.4", true}, // what is no digit ends it
        {"application/openmetrics-text;q=0.5/9, text/plain;q=0.51", false},
        {"application/openmetrics-text;q=0.4, application/openmetrics-text;q=0.2, text/plain;q=0.3", true},
        {"text/plain;q=0.2, text/plain;q=0.6, text/plain;q=0.1, application/openmetrics-text;q=0.5", false},
        {"application/openmetrics-text;q=0.9, text/plain;q=1.0", false},
        {"application/openmetrics-text;q=0.9, text/plain;q=1.5", false}, // 1 is the most
        {"application/openmetrics-text;q=1, text/plain;q=1.5", true},
        {"application/openmetrics-text; charset=utf-8; Q=0.2, text/plain;q=0.1x", true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (exposition_wants_openmetrics(cases[i].accept) != cases[i].openmetrics)
            fail_msg("%s", cases[i].accept);
}

static void formats_have_types(void **state) {
    (void)state;
    struct exposition out = {.openmetrics = true};
    assert_string_equal(exposition_content_type(&out),
                        "application/openmetrics-text; version=1.0.0; charset=utf-8");
    out.openmetrics = false;
    assert_string_equal(exposition_content_type(&out), "text/plain; version=0.0.4; charset=utf-8");
}

// What differs: names of counters' families, bounds, exemplars, the end.
static void openmetrics_has_exemplars(void **state) {
    (void)state;
    struct registry *registry = sample_registry();
    struct variant_series *canary = registry_variant(registry, "chat", "canary");
    struct exposition out = {.openmetrics = true};
    exemplars_set(variant_exemplars(canary, 0), EXEMPLAR_DURATION, "0af7651916cd43dd8448eb211c80319c",
                  "b7ad6b7169203331", 1001);
    exposition_variants(&out, registry);
    exposition_end(&out);
    const char *text = strbuf_text(&out.text);
    const char *pieces[] = {
        "\n# TYPE sluice_request_bytes counter\n",
        "\nsluice_request_bytes_total{route=\"chat\",variant=\"stable\"} 1000\n",
        "\nsluice_request_duration_seconds_bucket{route=\"chat\",variant=\"canary\",le=\"1.0\"} 2\n",
        "\nsluice_request_duration_seconds_bucket{route=\"chat\",variant=\"canary\",le=\"120.0\"} 2\n",
        ("\nsluice_request_duration_seconds_bucket{route=\"chat\",variant=\"canary\",le=\"0.0025\"} 2 # "
         "{trace_id=\"0af7651916cd43dd8448eb211c80319c\",span_id=\"b7ad6b7169203331\"} 0.001001 1"),
        "\n# EOF\n",
    };
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++)
        if (occurrences(text, pieces[i]) != 1)
            fail_msg("not once: %s in %s", pieces[i], text);
    assert_int_equal(occurrences(text, " # {"), 1);
    strbuf_clear(&out.text);
    out.openmetrics = false;
    exposition_variants(&out, registry);
    exposition_end(&out);
    assert_null(strstr(strbuf_text(&out.text), " # {"));
    assert_null(strstr(strbuf_text(&out.text), "# EOF"));
    variant_unref(canary);
    strbuf_free(&out.text);
    registry_free(registry);
}

static struct strbuf read_all(const char *path) {
    struct strbuf text = {0};
    FILE *file = fopen(path, "r");
    if (!file)
        return text;
    size_t got;
    while ((got = fread(strbuf_reserve(&text, 4096), 1, 4096, file)) > 0)
        text.len += got;
    fclose(file);
    return text;
}

static void the_page_is_the_table(void **state) {
    (void)state;
    const char *path = SOURCE_ROOT "/docs/metrics.md";
    struct strbuf want = {0};
    exposition_reference(&want);
    if (getenv("UPDATE_DOCS")) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        assert_int_equal(fwrite(want.at, 1, want.len, file), want.len);
        assert_int_equal(fclose(file), 0);
    }
    struct strbuf page = read_all(path);
    if (page.len == 0 || strcmp(strbuf_text(&page), strbuf_text(&want)) != 0)
        fail_msg("docs/metrics.md is not what the table says; UPDATE_DOCS=1 writes it anew");
    for (int i = 0; i < FAMILIES; i++) { // each family has its row
        struct exposition head = {0};
        struct strbuf row = {0};
        exposition_family(&head, (enum family)i);
        const char *name = strbuf_text(&head.text) + strlen("# HELP ");
        strbuf_format(&row, "| `%.*s` | ", (int)strcspn(name, " "), name);
        assert_int_equal(occurrences(strbuf_text(&page), strbuf_text(&row)), 1);
        strbuf_free(&head.text);
        strbuf_free(&row);
    }
    strbuf_free(&page);
    strbuf_free(&want);
}

int test_exposition(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_family_has_help_and_type),
        cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(doubles_read_back),
        cmocka_unit_test(every_counter_has_its_line),
        cmocka_unit_test(families_stand_together),
        cmocka_unit_test(the_page_is_the_table),
        cmocka_unit_test(a_scraper_gets_the_format_it_wants_most),
        cmocka_unit_test(formats_have_types),
        cmocka_unit_test(openmetrics_has_exemplars),
    };
    return cmocka_run_group_tests_name("exposition", tests, NULL, NULL);
}
