// parameters: the members of a call's JSON body, read by a table. Pure.
#pragma once
#include "base/error.h"
#include "base/slice.h"
#include <jansson.h>

enum parameter_kind { PARAMETER_TEXT, PARAMETER_BOOL, PARAMETER_NUMBER };
struct parameter {
    const char *name;
    enum parameter_kind kind;
    bool given; // what follows is set when it is
    const char *text;
    bool flag;
    double number;
};

// No body is an object without members. False and *error: it is no JSON object, has members that the table
// does not know or one of another type. Texts live as long as *root, which the caller lets go (json_decref;
// it may be NULL).
bool parameters_read(struct slice body, struct parameter *parameters, size_t count, json_t **root,
                     struct error *error);
// The same of an object that is parsed already.
bool parameters_take(const json_t *object, struct parameter *parameters, size_t count, struct error *error);
