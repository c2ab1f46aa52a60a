// forms: what a text in the configuration must look like, for config/sluice.schema.json. Each is never
// stricter than what the readers and checks of this folder accept: a mistake that only they see is better
// than one that is none.
#pragma once
#include "base/strbuf.h"
#include <stdbool.h>
#include <stdint.h>

// What is written without quotes and is no text to an editor, but may be one here.
enum form_plain { PLAIN_TEXT, PLAIN_WHOLE, PLAIN_NUMBER, PLAIN_ANY };

struct form {
    const char *pattern; // regular expression of the whole text, as JSON Schema has them (ECMA 262)
    const char *words;   // "an http:// or https:// URL"
    enum form_plain plain;
};

extern const struct form form_address, form_match_path, form_conditions, form_dns_server, form_endpoint,
    form_etcd_endpoint, form_etcd_prefix, form_header_removed, form_header_set, form_header_value, form_host,
    form_memory, form_method, form_mode, form_name, form_network, form_number, form_pause, form_path,
    form_percent, form_pointer, form_pointer_below, form_probe_path, form_task_learn, form_task_use,
    form_text, form_token, form_unit_source, form_url, form_workers, form_yes_or_no;

// Appends what matches whole numbers from least to most, zeros before them allowed; both 0: any.
void form_integer(struct strbuf *pattern, int64_t least, int64_t most);
// Appends what matches NUMBER UNIT from least to most (ms, or bytes), give or take less than one of the unit.
void form_duration(struct strbuf *pattern, int64_t least, int64_t most);
void form_size(struct strbuf *pattern, int64_t least, int64_t most);
