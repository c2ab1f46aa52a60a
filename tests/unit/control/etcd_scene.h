// etcd_scene: an etcd and a client of it, for a group of tests; without etcd installed each of them is
// skipped.
#pragma once
#include "etcd_server.h"
#include "etcd_stage.h"

struct etcd_scene {
    struct etcd_server server;
    struct etcd_stage stage;
};
// Setup and teardown of cmocka: *state is the scene. Zero: good.
int etcd_scene_open(void **state, struct etcd_settings settings);
int etcd_scene_close(void **state);
struct etcd_scene *etcd_scene_of(void **state); // skips the test without etcd
