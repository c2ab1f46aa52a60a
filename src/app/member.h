// member: members of an answer's JSON, with something to print when one is missing. Pure.
#pragma once
#include <jansson.h>
#include <stdbool.h>

const char *member_text(const json_t *object, const char *name);          // "-" when there is none
double member_number(const json_t *object, const char *name);             // 0 when there is none
long long member_integer(const json_t *object, const char *name);         // 0 when there is none
bool member_true(const json_t *object, const char *name);                 // it is there and true
bool member_given(const json_t *object, const char *name);                // it is there and not null
bool member_is(const json_t *object, const char *name, const char *text); // it is this text
