"""Builds a folder with a kustomization.yaml: resources, ConfigMaps made of files, and strategic merge patches, which is what ours use.
Anything else in it is a mistake. test_kubernetes.py holds it against kubectl's own where that is installed."""
import os

import yaml

# Lists whose items have a name: they are merged by it. All others are replaced whole.
KEYS = {"containers": "name", "initContainers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath",
        "ports": "containerPort"}
KNOWN = {"apiVersion", "kind", "resources", "configMapGenerator", "patches"}


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def merge(below, above, at=""):
    """A strategic merge: mappings key by key, lists of KEYS by name, all else is replaced."""
    if isinstance(below, dict) and isinstance(above, dict):
        both = {**below, **{key: merge(below.get(key), value, key) for key, value in above.items()}}
        assert not any(value is None or key.startswith("$") for key, value in above.items()), "a deletion is not understood here"
        return both
    if isinstance(below, list) and isinstance(above, list) and at in KEYS:
        key = KEYS[at]
        if all(key in item for item in below + above):
            ours = {item[key]: item for item in below}
            theirs = {item[key]: merge(ours.get(item[key]), item) for item in above}
            return [*theirs.values(), *(item for name, item in ours.items() if name not in theirs)]  # in kustomize's order
    return above


def identity(one):
    return one["apiVersion"], one["kind"], one["metadata"]["name"]


def generated(folder, maker, objects):
    """The ConfigMap that it makes; it must be there with `behavior: replace`, and must not be without."""
    assert set(maker) <= {"name", "behavior", "files", "options"} and maker["options"] == {"disableNameSuffixHash": True}, maker
    made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": maker["name"]},
            "data": {file: read(os.path.join(folder, file)) for file in maker["files"]}}
    assert (identity(made) in objects) == (maker.get("behavior") == "replace"), maker
    return made


def build(folder):
    """The objects."""
    plan = yaml.safe_load(read(os.path.join(folder, "kustomization.yaml")))
    assert set(plan) <= KNOWN and plan["kind"] == "Kustomization", f"{folder}: not understood: {set(plan) - KNOWN}"
    objects = {}
    for name in plan["resources"]:
        path = os.path.normpath(os.path.join(folder, name))
        for one in build(path) if os.path.isdir(path) else yaml.safe_load_all(read(path)):
            assert identity(one) not in objects, f"{identity(one)} is there twice"
            objects[identity(one)] = one
    for maker in plan.get("configMapGenerator", []):
        made = generated(folder, maker, objects)
        objects[identity(made)] = made
    for patch in plan.get("patches", []):
        assert set(patch) == {"path"}, patch
        change = yaml.safe_load(read(os.path.join(folder, patch["path"])))
        objects[identity(change)] = merge(objects[identity(change)], change)
    return list(objects.values())
