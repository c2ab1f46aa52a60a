"""What a schema does not know of Kubernetes objects: that they fit each other and the sluice.yaml among them.

Each check takes a Set and yields what is wrong."""
import functools
import json
import os
import re
import subprocess

import yaml

from . import yaml_core
from .sluice import cli

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
USER = 10001  # of the image


class Set:
    """The objects of one installation."""

    def __init__(self, objects):
        self.objects = objects

    def of(self, *kinds):
        return [one for one in self.objects if one["kind"] in kinds]

    def named(self, kind, name):
        return next((one for one in self.of(kind) if one["metadata"]["name"] == name), None)

    @property
    def deployments(self):
        return self.of("Deployment")

    @property
    def sluice(self):
        """The Deployment that serves, or None."""
        return next((one for one in self.deployments if containers(one)[0]["name"] == "sluice"), None)

    @property
    def pod(self):
        return self.sluice["spec"]["template"]["spec"]

    @property
    def text(self):
        return self.of("ConfigMap")[0]["data"]["sluice.yaml"]

    @functools.cached_property
    def config(self):
        return yaml_core.load(self.text)

    def selected(self, labels):
        return [one for one in self.deployments if labels.items() <= one["spec"]["template"]["metadata"]["labels"].items()]


def containers(deployment):
    return deployment["spec"]["template"]["spec"]["containers"]


def port(address):
    return int(address.rpartition(":")[2])


def seconds(duration):
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


# ---- each pod by itself

def locked(have):
    for one in have.deployments:
        pod = one["spec"]["template"]["spec"]
        secure = pod.get("securityContext", {})
        wanted = {"runAsNonRoot": True, "runAsUser": USER, "runAsGroup": USER, "seccompProfile": {"type": "RuntimeDefault"}}
        yield from (f"{one['metadata']['name']}: {key} is {secure.get(key)}" for key, value in wanted.items() if secure.get(key) != value)
        for key in ("automountServiceAccountToken", "enableServiceLinks"):
            if pod.get(key) is not False:
                yield f"{one['metadata']['name']}: {key} is not false"
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            if pod.get(key):
                yield f"{one['metadata']['name']}: {key}"
        yield from (f"volume {volume['name']} is of the node" for volume in pod.get("volumes", []) if "hostPath" in volume)
        for container in containers(one):
            if container.get("securityContext") != {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
                                                    "capabilities": {"drop": ["ALL"]}}:
                yield f"container {container['name']} is not locked in"


def sized(have):
    for one in have.deployments:
        for container in containers(one):
            resources = container.get("resources", {})
            if not {"cpu", "memory"} <= set(resources.get("requests", {})):
                yield f"container {container['name']} asks for no cpu or memory"
            if "memory" not in resources.get("limits", {}) and container["name"] != "sluice":
                yield f"container {container['name']} has no limit of memory"
            if "cpu" in resources.get("limits", {}):
                yield f"container {container['name']} is held back"


def version():
    with open(os.path.join(ROOT, "CMakeLists.txt"), encoding="utf-8") as f:
        return re.search(r"project\(sluice VERSION (\S+)", f.read())[1]


def images(have, image=None):
    wanted = image or f"sluice:{version()}"
    for one in have.deployments:
        yield from (f"container {each['name']} has image {each['image']}" for each in containers(one) if each["image"] != wanted)


def mounts(have):
    for one in have.deployments:
        pod = one["spec"]["template"]["spec"]
        names = {volume["name"] for volume in pod.get("volumes", [])}
        used = set()
        for container in containers(one):
            for mount in container.get("volumeMounts", []):
                used.add(mount["name"])
                if mount["name"] not in names:
                    yield f"there is no volume {mount['name']}"
                if "subPath" in mount:
                    yield f"{mount['mountPath']} would never change (subPath)"
        yield from (f"nobody mounts {name}" for name in names - used)


# Lists that the API has by a key of their items.
KEYS = {"containers": "name", "env": "name", "volumes": "name", "volumeMounts": "mountPath", "ports": "name", "groups": "name"}


def once(have):
    def look(value, at):
        if isinstance(value, list):
            keys = [item[KEYS[at]] for item in value if at in KEYS and isinstance(item, dict) and KEYS[at] in item]
            yield from (f"{key} is in {at} twice" for key in sorted(set(keys)) if keys.count(key) > 1)
        for key, below in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
            yield from look(below, key)
    names = [(one["kind"], one["metadata"]["name"]) for one in have.objects]
    yield from (f"{name} is there twice" for name in sorted(set(names)) if names.count(name) > 1)
    for one in have.objects:
        yield from look(one, "")


# ---- the pod of sluice and its file

def ends_in_time(have):
    hook = have.pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"]
    if hook[:1] != ["sleep"]:
        yield "preStop does not wait"
    least = int(hook[1]) + seconds(have.config.get("shutdown_grace", "30s"))
    if have.pod["terminationGracePeriodSeconds"] < least + 5:
        yield f"terminationGracePeriodSeconds is {have.pod['terminationGracePeriodSeconds']}, preStop and shutdown_grace take {least}"
    if any("preStop" in one.get("lifecycle", {}) for one in have.pod["containers"][1:]):
        yield "the second container waits too"


def probed(have):
    one = have.pod["containers"][0]
    probes = {kind: one.get(kind, {}).get("exec", {}).get("command") for kind in ("startupProbe", "readinessProbe", "livenessProbe")}
    yield from (f"no {kind}" for kind, command in probes.items() if not command)
    if "draining" not in " ".join(probes["readinessProbe"] or []):
        yield "the readiness probe does not know of draining"
    if "draining" in " ".join(probes["livenessProbe"] or []):
        yield "the liveness probe ends a pod that drains"
    longest = one["startupProbe"]["periodSeconds"] * one["startupProbe"]["failureThreshold"] if probes["startupProbe"] else 0
    if longest < 30:
        yield f"a start may take {longest} s"


def folder(have):
    """The configuration is one folder, which both containers see; the state is one that sluice makes itself, below a volume."""
    main, second = have.pod["containers"]
    path = main["args"][main["args"].index("-c") + 1]
    where, _, file = path.rpartition("/")
    for container in (main, second):
        if {"name": "config", "mountPath": where, "readOnly": True} not in container["volumeMounts"]:
            yield f"container {container['name']} does not mount {where}, read-only"
    if second["command"][:2] != ["reload-on-change", where]:
        yield f"the second container does not look at {where}"
    sources = next(one["projected"] for one in have.pod["volumes"] if one["name"] == "config")
    if sources.get("defaultMode") != 0o440:
        yield f"its files have mode {sources.get('defaultMode'):o}"
    maps = [one["configMap"]["name"] for one in sources["sources"] if "configMap" in one]
    for name in maps:
        if file not in (have.named("ConfigMap", name) or {"data": {}})["data"]:
            yield f"there is no ConfigMap {name} with {file}"
    state = [mount["mountPath"] for mount in main["volumeMounts"] if mount["name"] == "state" and not mount.get("readOnly")]
    if not state or not have.config["state_dir"].startswith(state[0] + "/"):
        yield f"state_dir is {have.config['state_dir']}, the volume {state}"
    if have.pod["securityContext"].get("fsGroup") != USER:
        yield "the files are not the group's"


def files(have):
    """What sluice.yaml names beside itself is there."""
    sources = next(one["projected"]["sources"] for one in have.pod["volumes"] if one["name"] == "config")
    there = {item["path"] for one in sources for item in (one.get("secret") or {}).get("items", [])}
    admin = have.config["admin"]
    wanted = {admin[key] for key in ("token_file",) if key in admin} | set(admin.get("tls", {}).values())
    yield from (f"{name} is not mounted" for name in sorted(wanted - there))


def environment(have):
    """The commands of both containers ask where the admin API is, and ${NAME} in the file is a variable of the pod."""
    admin = have.config["admin"]
    host, scheme = ("localhost", "https") if "tls" in admin else ("127.0.0.1", "http")
    if admin["address"].rpartition(":")[0] not in (("0.0.0.0",) if "tls" in admin and "token_file" in admin else ("127.0.0.1",)):
        yield f"admin.address is {admin['address']}"
    for container in have.pod["containers"]:
        variables = {one["name"]: one for one in container.get("env", [])}
        asked = variables.get("SLUICE_ADMIN", {}).get("value")
        if asked != f"{scheme}://{host}:{port(admin['address'])}":
            yield f"container {container['name']} asks {asked}"
        if ("tls" in admin) != ("SLUICE_CA" in variables):
            yield f"container {container['name']} does not know the authority"
    if ("token_file" in admin) != ("SLUICE_TOKEN" in variables):
        yield "the second container has no token"
    given = {one["name"] for one in have.pod["containers"][0].get("env", [])}
    yield from (f"${{{name}}} is nobody's" for name in sorted(set(re.findall(r"\$\{(\w+)\}", have.text)) - given))


def replaced(have):
    """How a pod is replaced: without a gap where each has a state of its own, one after the other where they share a volume."""
    strategy, claims = have.sluice["spec"]["strategy"], [one for one in have.pod["volumes"] if "persistentVolumeClaim" in one]
    for one in claims:
        if not have.named("PersistentVolumeClaim", one["persistentVolumeClaim"]["claimName"]):
            yield f"there is no claim {one['persistentVolumeClaim']['claimName']}"
    if claims and strategy != {"type": "Recreate"}:
        yield "two pods would wait for one volume"
    if not claims and strategy != {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}:
        yield "the old pod ends before the new one serves"
    replicas = have.sluice["spec"]["replicas"]
    if replicas > 1 and "fleet" not in have.config:
        yield f"{replicas} sluices that share nothing"
    if (replicas > 1) != bool(have.of("PodDisruptionBudget")):
        yield f"{replicas} replicas and {len(have.of('PodDisruptionBudget'))} PodDisruptionBudget"
    if "fleet" in have.config and have.config["fleet"].get("instance") != "${POD_NAME}":
        yield "instances have no name of their own"


# ---- what leads to it

def selectors(have):
    for one in have.deployments:
        if one not in have.selected(one["spec"]["selector"]["matchLabels"]):
            yield f"Deployment {one['metadata']['name']} does not select its pods"
    for kind, key in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        for one in have.of(kind):
            if have.selected(one["spec"][key]["matchLabels"]) != [have.sluice]:
                yield f"{kind} {one['metadata']['name']} does not select the pods"
    for one in have.deployments:
        for spread in one["spec"]["template"]["spec"].get("topologySpreadConstraints", []):
            if one not in have.selected(spread["labelSelector"]["matchLabels"]):
                yield "the spread does not count the pods"


def named_ports(deployment):
    return {one["name"]: one["containerPort"] for container in containers(deployment) for one in container.get("ports", [])}


def ports(have):
    for one in have.of("Service"):
        pods = have.selected(one["spec"]["selector"])
        if len(pods) != 1:
            yield f"Service {one['metadata']['name']} leads to {len(pods)} Deployments"
            continue
        for each in one["spec"]["ports"]:
            if each["targetPort"] not in named_ports(pods[0]):
                yield f"Service {one['metadata']['name']}: there is no port {each['targetPort']}"
            elif one["spec"].get("clusterIP") == "None" and each["port"] != named_ports(pods[0])[each["targetPort"]]:
                yield f"headless Service {one['metadata']['name']}: {each['port']} is not the pod's"
    if have.sluice:
        told = named_ports(have.sluice)
        if told["http"] != port(have.config["listeners"][0]["address"]):
            yield "the port http is not the listener's"
        if told.get("admin") != (port(have.config["admin"]["address"]) if "tls" in have.config["admin"] else None):
            yield "the port admin is not the admin API's, or open without TLS"


def ways(have):
    """What the NetworkPolicy lets through is what is needed."""
    for one in have.of("NetworkPolicy"):
        if one["spec"]["policyTypes"] != ["Ingress", "Egress"]:
            yield "not both ways are closed"
        told = named_ports(have.sluice)
        comes = {each["port"] for rule in one["spec"]["ingress"] for each in rule["ports"]}
        if comes != set(told):
            yield f"in may what goes to {sorted(comes)}, the ports are {sorted(told)}"
        for rule in one["spec"]["ingress"]:
            if not rule.get("from") or {} in rule["from"] or {"namespaceSelector": {}} in rule["from"]:
                yield "everybody may come"
            if {"port": "admin", "protocol": "TCP"} in rule["ports"] and any("podSelector" in each for each in rule["from"]):
                yield "clients reach the admin API"
        goes = {each["port"] for rule in one["spec"]["egress"] for each in rule["ports"]}
        urls = [url for pool in have.config["pools"].values() for url in pool["endpoints"]]
        urls += have.config.get("fleet", {}).get("etcd", {}).get("endpoints", [])
        yield from (f"{url} is out of reach" for url in urls if port(url) not in goes)
        if not {"UDP", "TCP"} == {each["protocol"] for rule in one["spec"]["egress"] for each in rule["ports"] if each["port"] == 53}:
            yield "no names"


def scraped(have):
    for one in have.of("ServiceMonitor"):
        wanted = one["spec"]["selector"]["matchLabels"]
        services = [each for each in have.of("Service") if wanted.items() <= each["metadata"]["labels"].items()]
        if len(services) != 1:
            yield f"the ServiceMonitor finds {len(services)} Services"
            continue
        if services[0]["metadata"]["labels"].get(one["spec"]["jobLabel"]) != "sluice":
            yield "the job is not sluice, which the alerts look for"
        for endpoint in one["spec"]["endpoints"]:
            if endpoint["port"] not in {each["name"] for each in services[0]["spec"]["ports"]}:
                yield f"there is no port {endpoint['port']}"
            mounted = json.dumps(have.pod["volumes"])
            if f'"name": "{endpoint["tlsConfig"]["ca"]["secret"]["name"]}"' not in mounted:
                yield "the authority is not that of the pods"
            if endpoint["scheme"] != "https":
                yield "it does not speak TLS"


POD = [ends_in_time, probed, folder, files, environment, replaced, ways]
ANY = [locked, sized, mounts, once, selectors, ports, scraped]


def faults(objects):
    have = Set(objects)
    return [fault for check in ANY + (POD if have.sluice else []) for fault in check(have)]


# ---- other programs' words

def schema_faults(objects, modules):
    """Of the Kubernetes API's schemas and the Prometheus Operator's, with every field that they do not know."""
    program = os.path.join(ROOT, "tests", "integration", "npm", "manifests.mjs")
    done = subprocess.run(["node", program], input=json.dumps(objects), capture_output=True, text=True, timeout=60, check=True,
                          env=dict(os.environ, NPM_MODULES=os.path.abspath(modules)))
    *found, last = done.stdout.splitlines()
    assert last == f"{len(objects)} objects"
    return found


def refused(objects, place, certificate):
    """What `sluice check` says of the file, with the pod's environment and the Secrets beside it."""
    have = Set(objects)
    (place / "sluice.yaml").write_text(have.text, encoding="utf-8")
    for name, path in {"admin.crt": certificate.certificate, "admin.key": certificate.key}.items():
        with open(path, encoding="ascii") as f:
            (place / name).write_text(f.read(), encoding="ascii")
    (place / "admin.token").write_text("a-token-of-24-characters\n", encoding="ascii")
    env = {one["name"]: one.get("value", "default") for one in have.pod["containers"][0]["env"]}
    done = cli("check", place / "sluice.yaml", env=env)
    return done.stdout + done.stderr if done.returncode else ""


def documents(path):
    with open(path, encoding="utf-8") as f:
        return [one for one in yaml.safe_load_all(f) if one]
