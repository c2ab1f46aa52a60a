// model_server: which path of a simulated model server is answered how. One thread.
#pragma once
#include "model.h"

struct evhttp;
// Makes `http` answer for `model`, which stays the caller's and outlives it.
void model_server_attach(struct evhttp *http, struct model *model);
