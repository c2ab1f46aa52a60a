#include "etcd_scene.h"
#include "unit.h"

#include <stdlib.h>

int etcd_scene_open(void **state, struct etcd_settings settings) {
    struct etcd_scene *scene = calloc(1, sizeof *scene);
    const char *url = scene->server.url;
    *state = scene;
    if (!etcd_server_installed())
        return 0;
    etcd_server_open(&scene->server, false);
    etcd_stage_open(&scene->stage, &url, 1, settings);
    etcd_stage_ready(&scene->stage);
    return 0;
}

int etcd_scene_close(void **state) {
    struct etcd_scene *scene = *state;
    if (scene->stage.etcd)
        etcd_stage_close(&scene->stage);
    etcd_server_close(&scene->server);
    free(scene);
    return 0;
}

struct etcd_scene *etcd_scene_of(void **state) {
    struct etcd_scene *scene = *state;
    if (!scene->stage.etcd)
        skip();
    return scene;
}
