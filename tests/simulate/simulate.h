// simulate: the tables of docs/statistics.md, each from the real code with simulated requests.
#pragma once
#include "table.h"

void simulate_equal(const struct options *options);
void simulate_worse(const struct options *options);
void simulate_cohorts(const struct options *options);
void simulate_means(const struct options *options);
void simulate_units(const struct options *options);
void simulate_policy(const struct options *options);
void simulate_whole(const struct options *options);
