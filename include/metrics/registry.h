// registry: every series by name. Owner and only caller: the control thread. Workers only write into lanes
// that a plan gives them.
#pragma once
#include "metrics/experiment.h"
#include "metrics/variant.h"

struct registry;
struct registry *registry_new(unsigned lane_count);
void registry_free(struct registry *registry); // when nothing refers to a series any more
// The series of that name, new or existing, with a reference for the caller.
struct variant_series *registry_variant(struct registry *registry, const char *route, const char *variant);
// What is counted for the rollout of that route, with a reference for the caller: the same as long as the
// arms, named in order and separated by commas, are the same ones and somebody refers to it.
struct experiment *registry_experiment(struct registry *registry, const char *route, const char *arms,
                                       size_t arm_count);
void registry_sweep(struct registry *registry); // frees what no plan refers to any more
// Calls visit for every series in order of route and variant.
void registry_each(struct registry *registry,
                   void (*visit)(const struct variant_series *series, void *context), void *context);
