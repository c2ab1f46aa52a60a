"""docker/kubernetes: every object is one that the Kubernetes API and the Prometheus Operator take, all fit each other and their sluice.yaml,
and the chart says what the manifests say. test_kubernetes_pods.py runs them."""
import copy
import json
import os
import re
import shutil
import subprocess

import pytest
import yaml

from harness import helm, kustomize, manifests, yaml_core
from harness.certificates import make_ca, make_certificate
from harness.helm import Chart

pytestmark = pytest.mark.once

KUBERNETES = os.path.join(manifests.ROOT, "docker", "kubernetes")
MODULES = os.environ.get("NPM_MODULES", os.path.join(manifests.ROOT, "build", "npm", "node_modules"))
CHART = Chart(os.path.join(KUBERNETES, "chart"))
VALUES = {
    "default": {},
    "fleet": {"replicas": 3, "fleet": {"etcd": ["http://etcd-0.etcd:2379", "http://etcd-1.etcd:2379", "http://etcd-2.etcd:2379"]}},
    "alone-in-a-fleet": {"fleet": {"etcd": ["http://etcd:2379"]}},
    "monitoring": {"monitoring": {"enabled": True, "labels": {"release": "prometheus"}}},
    "volume": {"persistence": {"enabled": True, "storageClass": "fast", "size": "5Gi"}, "networkPolicy": {"enabled": False},
               "monitoring": {"enabled": True, "serviceMonitor": False},
               "config": 'pools: {a: {endpoints: ["http://a:8000"]}}\nroutes: [{name: r, variants: {v: {pool: a, weight: 100}}}]\n'},
    "everything": {
        "image": {"repository": "registry.example/ai/sluice", "tag": "0.1.0-7", "pullPolicy": "Always"}, "imagePullSecrets": [{"name": "registry"}],
        "replicas": 5, "workers": 8, "shutdownGraceSeconds": 600, "preStopSeconds": 10, "reloadSeconds": 5,
        "fleet": {"etcd": ["https://etcd:2379"], "prefix": "/sluice/eu"},
        "monitoring": {"enabled": True, "namespace": "observing", "tlsSecret": "a-tls", "tokenSecret": "a-token"},
        "service": {"type": "LoadBalancer", "port": 443, "annotations": {"a.example/b": "true", "c.example/d": "x: y"}},
        "env": [{"name": "REGION", "value": "eu"}, {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}}],
        "podAnnotations": {"sidecar.istio.io/inject": "false"}, "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
        "networkPolicy": {"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}, "resources": {"requests": {"cpu": "1"}}},
}
OVERLAYS = ["base", "fleet", "monitoring"]
SETS = [*OVERLAYS, "models", *(f"chart {name}" for name in VALUES), "chart of another name"]


def objects_of(name):
    if name in OVERLAYS:
        return kustomize.build(os.path.join(KUBERNETES, name))
    if name == "models":
        return manifests.documents(os.path.join(KUBERNETES, "models.yaml"))
    if name == "chart of another name":
        return CHART.objects({**VALUES["fleet"], **VALUES["monitoring"]}, release="prod", namespace="ai")
    return CHART.objects(VALUES[name.removeprefix("chart ")])


@pytest.mark.parametrize("name", SETS)
def test_the_objects_are_the_apis_and_fit_each_other(name):
    objects = objects_of(name)
    assert manifests.schema_faults(objects, MODULES) == []
    have = manifests.Set(objects)
    assert manifests.faults(objects) == []
    assert list(manifests.images(have, "registry.example/ai/sluice:0.1.0-7" if name == "chart everything" else None)) == []


@pytest.mark.parametrize("name", [name for name in SETS if name != "models"])
def test_sluice_takes_the_file(name, tmp_path):
    leaf = make_certificate(tmp_path, make_ca(tmp_path), names=["sluice-admin", "localhost"])
    place = tmp_path / "etc"
    place.mkdir()
    objects = objects_of(name)
    assert manifests.refused(objects, place, leaf) == ""
    data = manifests.Set(objects).of("ConfigMap")[0]["data"]
    data["sluice.yaml"] += "\nnothing: 1\n"
    assert "nothing" in manifests.refused(objects, place, leaf)


# ---- that each check can fail: a set, what is changed in it (the first object of a kind, a path, a value), and what is said

CONTAINER = "spec.template.spec.containers.0."
POD = "spec.template.spec."
GONE = object()
WRONG_SCHEMA = [
    ("base", "Deployment", "spec.replica", 1, "/spec/replica: no such field"),
    ("base", "Deployment", CONTAINER + "readinessProbe.exec.comand", ["a"], "exec/comand: no such field"),
    ("base", "Deployment", CONTAINER + "ports.0.containerPort", "8080", "type"),
    ("base", "Deployment", "spec.selector", GONE, "selector"),
    ("base", "Deployment", POD + "volumes.0.projected.sources.0.configmap", {}, "configmap: no such field"),
    ("base", "Deployment", "kind", "Deploiment", "no such kind"),
    ("base", "Deployment", "apiVersion", "apps/v1beta3", "no such kind"),
    ("base", "NetworkPolicy", "spec.ingress.0.port", [], "/spec/ingress/0/port: no such field"),
    ("base", "Service", "spec.ports.0.port", GONE, "port"),
    ("fleet", "PodDisruptionBudget", "spec.maxUnavailible", 1, "maxUnavailible: no such field"),
    ("monitoring", "ServiceMonitor", "spec.endpoints.0.tlsConfig.serverNames", "a", "serverNames: no such field"),
    ("monitoring", "PrometheusRule", "spec.groups.0.rules.0.expression", "a", "expression: no such field"),
]
WRONG_MEANING = [
    ("base", "Deployment", POD + "securityContext.runAsNonRoot", False, "runAsNonRoot is False"),
    ("base", "Deployment", POD + "securityContext.runAsUser", 0, "runAsUser is 0"),
    ("models", "Deployment", POD + "securityContext.seccompProfile", GONE, "seccompProfile is None"),
    ("base", "Deployment", POD + "automountServiceAccountToken", GONE, "automountServiceAccountToken"),
    ("base", "Deployment", POD + "hostNetwork", True, "hostNetwork"),
    ("base", "Deployment", POD + "volumes.1", {"name": "state", "hostPath": {"path": "/"}}, "volume state is of the node"),
    ("base", "Deployment", CONTAINER + "securityContext.readOnlyRootFilesystem", False, "container sluice is not locked in"),
    ("base", "Deployment", CONTAINER + "securityContext.capabilities.add", ["NET_ADMIN"], "container sluice is not locked in"),
    ("base", "Deployment", CONTAINER + "resources.limits.cpu", "1", "held back"),
    ("base", "Deployment", CONTAINER + "resources.requests", {}, "asks for no cpu"),
    ("base", "Deployment", CONTAINER + "volumeMounts.1.name", "states", "there is no volume states"),
    ("base", "Deployment", CONTAINER + "volumeMounts.0.subPath", "sluice.yaml", "would never change"),
    ("base", "Deployment", POD + "containers.1.name", "sluice", "sluice is in containers twice"),
    ("fleet", "Deployment", CONTAINER + "env.1.name", "POD_NAME", "POD_NAME is in env twice"),
    ("monitoring", "PrometheusRule", "spec.groups.0.name", "sluice-pools", "sluice-pools is in groups twice"),
    ("monitoring", "PrometheusRule", "metadata.name", "sluice-alerts", "('PrometheusRule', 'sluice-alerts') is there twice"),
    ("base", "Deployment", POD + "terminationGracePeriodSeconds", 34, "terminationGracePeriodSeconds is 34"),
    ("base", "ConfigMap", ("shutdown_grace: 30s", "shutdown_grace: 5m"), None, "preStop and shutdown_grace take 305"),
    ("base", "Deployment", CONTAINER + "livenessProbe", GONE, "no livenessProbe"),
    ("base", "Deployment", CONTAINER + "readinessProbe.exec.command", ["sluice", "status", "--json"], "does not know of draining"),
    ("base", "Deployment", CONTAINER + "startupProbe.failureThreshold", 3, "a start may take 3 s"),
    ("base", "Deployment", CONTAINER + "args.2", "/etc/sluice.yaml", "does not mount /etc, read-only"),
    ("base", "Deployment", POD + "containers.1.command.1", "/etc", "does not look at /etc/sluice"),
    ("base", "Deployment", POD + "volumes.0.projected.defaultMode", 0o444, "its files have mode 444"),
    ("base", "Deployment", POD + "volumes.0.projected.sources.0.configMap.name", "sluices", "there is no ConfigMap sluices"),
    ("base", "Deployment", POD + "securityContext.fsGroup", GONE, "the files are not the group's"),
    ("base", "ConfigMap", ("/var/lib/sluice/state", "/var/lib/sluice"), None, "state_dir is /var/lib/sluice"),
    ("monitoring", "Deployment", POD + "volumes.0.projected.sources.2.secret.items.1.path", "key", "admin.key is not mounted"),
    ("base", "ConfigMap", ("127.0.0.1:9901", "0.0.0.0:9901"), None, "admin.address is 0.0.0.0:9901"),
    ("base", "Deployment", POD + "containers.1.env.0.value", "http://127.0.0.1:9902", "container reload asks http://127.0.0.1:9902"),
    ("monitoring", "Deployment", POD + "containers.1.env.2.name", "TOKEN", "the second container has no token"),
    ("monitoring", "Deployment", CONTAINER + "env.1.name", "CA", "container sluice does not know the authority"),
    ("fleet", "Deployment", CONTAINER + "env.1.name", "NAMESPACE", "${POD_NAMESPACE} is nobody's"),
    ("base", "Deployment", "spec.strategy.rollingUpdate.maxUnavailable", 1, "the old pod ends before"),
    ("chart volume", "Deployment", "spec.strategy", {"type": "RollingUpdate"}, "two pods would wait"),
    ("chart volume", "PersistentVolumeClaim", "metadata.name", "other", "there is no claim sluice"),
    ("base", "Deployment", "spec.replicas", 2, "2 sluices that share nothing"),
    ("fleet", "Deployment", "spec.replicas", 1, "1 replicas and 1 PodDisruptionBudget"),
    ("fleet", "ConfigMap", ('instance: "${POD_NAME}"', "instance: one"), None, "instances have no name of their own"),
    ("base", "Deployment", "spec.selector.matchLabels", {"app": "sluice"}, "does not select its pods"),
    ("fleet", "PodDisruptionBudget", "spec.selector.matchLabels", {"app": "x"}, "PodDisruptionBudget sluice does not select"),
    ("base", "NetworkPolicy", "spec.podSelector.matchLabels", {"app": "x"}, "NetworkPolicy sluice does not select"),
    ("base", "Deployment", POD + "topologySpreadConstraints.0.labelSelector.matchLabels", {"app": "x"}, "the spread does not count"),
    ("base", "Service", "spec.ports.0.targetPort", "web", "there is no port web"),
    ("models", "Service", "spec.ports.0.port", 80, "headless Service model-blue: 80"),
    ("base", "Service", "spec.selector", {"app": "x"}, "leads to 0 Deployments"),
    ("base", "ConfigMap", ("0.0.0.0:8080", "0.0.0.0:8081"), None, "the port http is not the listener's"),
    ("base", "NetworkPolicy", "spec.policyTypes", ["Ingress"], "not both ways are closed"),
    ("base", "NetworkPolicy", "spec.ingress.0.from.0", {}, "everybody may come"),
    ("monitoring", "NetworkPolicy", "spec.ingress.1", GONE, "in may what goes to ['http']"),
    ("monitoring", "NetworkPolicy", "spec.ingress.0.ports.0.port", "admin", "clients reach the admin API"),
    ("fleet", "NetworkPolicy", "spec.egress.2", GONE, "http://etcd:2379 is out of reach"),
    ("base", "NetworkPolicy", "spec.egress.0", GONE, "no names"),
    ("monitoring", "ServiceMonitor", "spec.endpoints.0.port", "http", "there is no port http"),
    ("monitoring", "ServiceMonitor", "spec.selector.matchLabels", {"app": "x"}, "finds 0 Services"),
    ("monitoring", "ServiceMonitor", "spec.jobLabel", "app", "the job is not sluice"),
    ("monitoring", "ServiceMonitor", "spec.endpoints.0.tlsConfig.ca.secret.name", "x", "the authority is not that of the pods"),
    ("monitoring", "ServiceMonitor", "spec.endpoints.0.scheme", "http", "it does not speak TLS"),
]


def changed(name, kind, path, value):
    objects = copy.deepcopy(objects_of(name))
    one = next(one for one in objects if one["kind"] == kind)
    if isinstance(path, tuple):
        assert path[0] in one["data"]["sluice.yaml"]
        one["data"]["sluice.yaml"] = one["data"]["sluice.yaml"].replace(*path)
        return objects
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in way:
        one = one[part]
    if value is GONE:
        del one[last]
    else:
        one[last] = value
    return objects


@pytest.mark.parametrize("name, kind, path, value, said", WRONG_MEANING, ids=[case[4][:50] for case in WRONG_MEANING])
def test_what_does_not_fit_is_told(name, kind, path, value, said):
    assert any(said in fault for fault in manifests.faults(changed(name, kind, path, value)))


def test_what_the_api_does_not_take_is_told():
    for name, kind, path, value, said in WRONG_SCHEMA:
        found = manifests.schema_faults(changed(name, kind, path, value), MODULES)
        assert len(found) >= 1 and any(said in fault for fault in found), (path, found)


# ---- the overlays

@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
@pytest.mark.parametrize("name", OVERLAYS)
def test_kubectl_builds_the_same(name):
    done = subprocess.run(["kubectl", "kustomize", os.path.join(KUBERNETES, name)], capture_output=True, text=True, check=True, timeout=60)
    theirs = {kustomize.identity(one): one for one in yaml.safe_load_all(done.stdout)}
    assert theirs == {kustomize.identity(one): one for one in objects_of(name)}


def test_the_files_differ_where_they_must():
    base, fleet, monitoring = (manifests.Set(objects_of(name)).config for name in OVERLAYS)
    assert fleet.pop("fleet")["etcd"]["prefix"] == "/sluice/${POD_NAMESPACE}"
    assert (fleet["routes"][0]["rollout"].pop("start"), base["routes"][0]["rollout"]["start"]) == ("auto", "manual")
    fleet["routes"][0]["rollout"]["start"] = "manual"
    assert fleet == base
    assert monitoring.pop("admin")["address"] == "0.0.0.0:9901" and base.pop("admin") == {"address": "127.0.0.1:9901"}
    assert monitoring == base


def test_the_alerts_are_those_of_config_prometheus(tmp_path):
    rules = {one["metadata"]["name"]: one["spec"] for one in manifests.Set(objects_of("monitoring")).of("PrometheusRule")}
    assert set(rules) == {"sluice-rules", "sluice-alerts"}
    for name, spec in rules.items():
        theirs = manifests.documents(os.path.join(manifests.ROOT, "config", "prometheus", name.removeprefix("sluice-") + ".yaml"))
        assert theirs[0]["groups"] and [spec] == theirs
        # The operator makes a file of each.
        (tmp_path / name).write_text(yaml.safe_dump(spec), encoding="utf-8")
        done = subprocess.run(["promtool", "check", "rules", str(tmp_path / name)], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


# ---- the chart

def plain(objects):
    """What the objects say, without what only a chart writes, and without the order of rules, ports and variables."""
    found = {}
    for one in json.loads(json.dumps(objects)):
        if one["kind"] == "Deployment":
            for container in manifests.containers(one):
                container["env"].sort(key=lambda variable: variable["name"])
                container.get("ports", []).sort(key=lambda port: port["name"])
        if one["kind"] == "NetworkPolicy":
            one["spec"]["egress"].sort(key=lambda rule: json.dumps(rule, sort_keys=True))
        metadata = [one["metadata"], *([one["spec"]["template"]["metadata"]] if one["kind"] == "Deployment" else [])]
        for each in metadata:
            each.get("annotations", {}).pop("checksum/start", None)
            each["labels"] = {key: value for key, value in each.get("labels", {}).items()
                              if key in ("app.kubernetes.io/name", "app.kubernetes.io/component")}
        if one["kind"] == "ConfigMap":
            one["metadata"].pop("labels")
            one["data"]["sluice.yaml"] = yaml_core.load(one["data"]["sluice.yaml"])
        if one["kind"] == "Service" and one["spec"].get("type") == "ClusterIP":
            del one["spec"]["type"]
        text = re.sub(r'"app.kubernetes.io/instance": "[^"]*"(, )?', "", json.dumps(one, sort_keys=True))
        found[kustomize.identity(one)] = json.loads(text)
    return found


SAME = {"base": {}, "monitoring": {"monitoring": {"enabled": True}},
        "fleet": {"replicas": 3, "fleet": {"etcd": ["http://etcd:2379"], "prefix": "/sluice/${POD_NAMESPACE}"},
                  "env": [{"name": "POD_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}]}}


@pytest.mark.parametrize("name", SAME)
def test_the_chart_says_what_the_manifests_say(name):
    objects = [one for one in objects_of(name) if one["kind"] != "PrometheusRule"]
    text = manifests.Set(objects).text
    made = CHART.objects({**SAME[name], "config": text[text.index("pools:"):]})
    assert plain(made) == plain(objects)
    if name == "base":
        assert plain(CHART.objects()) == plain(objects)


def test_the_versions_are_the_programs():
    version = manifests.version()
    assert (CHART.about["version"], CHART.about["appVersion"]) == (version, version)
    assert CHART.values["image"]["tag"] == ""


def test_what_a_reload_takes_is_no_other_pod_and_the_rest_is():
    def template(**values):
        return manifests.Set(CHART.objects(values)).sluice["spec"]["template"]
    assert template(config=CHART.values["config"].replace("weight: 5", "weight: 7")) == template()
    for values in ({"workers": 3}, {"fleet": {"etcd": ["http://etcd:2379"]}}, {"monitoring": {"enabled": True}}):
        assert template(**values)["metadata"]["annotations"]["checksum/start"] != template()["metadata"]["annotations"]["checksum/start"]


def test_the_chart_refuses_what_does_not_go_together():
    for values, said in [
            ({"replicas": 2}, "replicas: more than one sluice share their rollouts by an etcd; set fleet.etcd to its endpoints, or replicas to 1"),
            ({**VALUES["fleet"], "persistence": {"enabled": True}}, "persistence.enabled: a volume has one user")]:
        with pytest.raises(helm.Refused, match="^" + re.escape(said)):
            CHART.render(values)


TYPOS = [({"replica": 2}, "'replica'"), ({"fleet": {"etc": []}}, "'etc'"), ({"image": {"tags": "1"}}, "'tags'"), ({"replicas": "2"}, "replicas"),
         ({"fleet": {"etcd": ["etcd:2379"]}}, "fleet.etcd.0"), ({"service": {"type": "Cluster"}}, "service.type"), ({"workers": 0}, "workers"),
         ({"monitoring": {"enable": True}}, "'enable'"), ({"networkPolicy": {"ingress": []}}, "'ingress'"), ({"config": ""}, "config"),
         ({"config": {"pools": {}}}, "config"), ({"config": None}, "'config'"), ({"persistence": {"size": "many"}}, "persistence.size"),
         ({"env": [{"nam": "A"}]}, "env.0"), ({"resources": {"request": {}}}, "'request'"), ({"podAnnotations": {"a": True}}, "podAnnotations.a")]


def test_the_schema_of_values_takes_ours_and_no_typo():
    assert [CHART.complaints(values) for values in VALUES.values()] == [[] for _ in VALUES]
    for values, said in TYPOS:
        assert any(said in complaint for complaint in CHART.complaints(values)), values
    assert set(CHART.schema["properties"]) - {"global"} == set(CHART.values)


def test_the_notes_name_what_there_is():
    text = CHART.render(VALUES["monitoring"], release="prod", namespace="ai")["NOTES.txt"]
    for part in ("prod-sluice.ai:8080", "-n ai exec deploy/prod-sluice --", "https://localhost:9901/", "start: manual"):
        assert part in text
    assert "start: manual" not in CHART.render(VALUES["fleet"])["NOTES.txt"]


# ---- the renderer

def test_the_renderer_says_what_go_says():
    with open(os.path.join(manifests.ROOT, "tests", "data", "helm", "cases.json"), encoding="utf-8") as f:
        data = json.load(f)
    root = {"Values": data["values"], "Release": {"Name": "sluice", "Namespace": "default", "Service": "Helm"},
            "Chart": {"Name": "x", "Version": "1.2.3", "AppVersion": "9"}}
    templates = {}
    helm.parse(data["helpers"], templates)
    assert len(data["cases"]) >= 30
    for text, made in data["cases"]:
        assert helm.Renderer(templates, root).nodes(helm.parse(text, templates), root) == made, text


@pytest.mark.parametrize("text, said", [
    ("{{ .Values.replica }}", "there is no .Values.replica"), ("{{ lookup 1 }}", "there is no function lookup"), ("{{ if .Values.env }}", "does not end"),
    ("{{ end }}", "without a beginning"), ("{{ include \"x\" . }}", "there is no template x"), ("{{ .Values.fleet }}", "no text"),
    ("{{ $x := 1 }}", "not understood"), ("{{ (1 }}", "parenthesis"), ("{{ 1 | }}", "empty command"), ("{{/* x }}", "comment")])
def test_what_the_renderer_does_not_know_is_a_mistake(text, said):
    root = {"Values": CHART.values}
    with pytest.raises(helm.Mistake, match=said):
        helm.Renderer({}, root).nodes(helm.parse(text, {}), root)
