"""The pods of docker/kubernetes as they run: users, volumes, probes, hooks and environment are those of the manifests (harness/pod.py). A
changed ConfigMap is reloaded, a pod is replaced under load without a failed request, Prometheus scrapes it, three are a fleet."""
import contextlib
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest

from harness import kustomize, manifests
from harness.client import Client, ask
from harness.container import Image
from harness.etcd import Etcd
from harness.helm import Chart
from harness.lan import Lan, networks_are_allowed
from harness.load import Loop
from harness.pod import Cluster
from harness.scale import patience
from harness.secure import SecureAdmin
from harness.wait import wait_for
from harness.walk import read

pytestmark = [pytest.mark.once, pytest.mark.skipif(os.getuid() != 0 or not networks_are_allowed(), reason="needs root and network namespaces")]

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
KUBERNETES = os.path.join(ROOT, "docker", "kubernetes")
PAGE = os.path.join(ROOT, "docs", "howto", "kubernetes.md")
JSON = [("Content-Type", "application/json")]
QUESTION = json.dumps({"model": "demo", "max_tokens": 2, "messages": [{"role": "user", "content": "hi"}]})

TOKENS = 400
LONG_QUESTION = json.dumps({"model": "demo", "stream": True, "messages": [{"role": "user", "content": "hi"}]})


def question(i):
    return "POST", "/v1/chat/completions", [*JSON, ("X-User-Id", f"user-{i % 500}")], QUESTION


def deployment(objects, name="sluice"):
    """The second container looks ten times as often, so that the tests need not wait."""
    made = next(one for one in objects if one["kind"] == "Deployment" and one["metadata"]["name"] == name)
    for container in made["spec"]["template"]["spec"]["containers"]:
        if container["name"] == "reload":
            container["command"] = [*container["command"][:2], "0.2"]
    return made


def edited(objects, old, new):
    """The objects with another sluice.yaml."""
    made = json.loads(json.dumps(objects))
    data = next(one for one in made if one["kind"] == "ConfigMap")["data"]
    assert old in data["sluice.yaml"]
    data["sluice.yaml"] = data["sluice.yaml"].replace(old, new)
    return made


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return Image(tmp_path_factory.mktemp("image") / "root")


@pytest.fixture
def cluster(tmp_path, image):
    """With the model servers of models.yaml under their names."""
    with contextlib.ExitStack() as ends:
        lan = Lan()
        ends.callback(lan.close)
        made = Cluster(tmp_path, lan, image)
        ends.callback(made.close)
        models = manifests.documents(os.path.join(KUBERNETES, "models.yaml"))
        for name in ("model-blue", "model-green"):
            made.name(name, made.start(deployment(models, name), name + "-0").address)
        yield made


def status(pod, *more):
    done = pod.containers["sluice"].exec("sluice", "status", "--json", *more)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def weights(pod):
    return [variant["weight"] for variant in status(pod)["routes"][0]["variants"]]


def said(pod, text, times=1):
    """By the second container, of a reload."""
    try:
        wait_for(lambda: pod.containers["reload"].log().count(text) == times, patience(15))
    except AssertionError:
        raise AssertionError(f"{text!r} is not said {times} times: {pod.logs()}") from None


# ---- one sluice

def locked(container):
    """What process 1 may, from the kernel."""
    with open(f"/proc/{container.run.first()}/status", encoding="ascii") as f:
        about = dict(line.rstrip().split(":\t", 1) for line in f if ":\t" in line)
    return about["Uid"].split()[0], about["CapBnd"].strip("0"), about["CapEff"].strip("0"), about["NoNewPrivs"]


def test_it_is_locked_in_and_its_state_outlives_a_container(cluster):
    objects = kustomize.build(os.path.join(KUBERNETES, "base"))
    cluster.apply(objects)
    pod = cluster.start(deployment(objects), "sluice-0")
    for container in pod.containers.values():
        assert locked(container) == ("10001", "", "", "1")
        for path in ("/file", "/tmp/file", "/etc/sluice/file"):
            assert "Read-only file system" in container.exec("sh", "-c", f"echo > {path}").stderr
    sluice = pod.containers["sluice"]
    state = os.path.join(pod.volumes["state"], "state")
    assert os.stat(pod.volumes["state"]).st_mode & 0o777 == 0o777 and os.stat(state).st_mode & 0o777 == 0o750
    assert weights(pod) == [100, 0]
    assert sluice.exec("sluice", "promote", "chat").returncode == 0
    assert weights(pod) == [95, 5]
    # Killed, the container begins again, with the same volume.
    sluice.kill()
    sluice.start()
    pod.wait_ready()
    assert weights(pod) == [95, 5]
    # Another pod has a state of its own: nothing is tried until somebody says so.
    other = cluster.start(deployment(objects), "sluice-1")
    assert weights(other) == [100, 0]


def test_a_change_is_reloaded_and_a_replaced_pod_fails_no_request(cluster):
    objects = kustomize.build(os.path.join(KUBERNETES, "base"))
    cluster.apply(objects)
    old = cluster.start(deployment(objects), "sluice-0")
    for model in cluster.pods[:2]:
        assert ask((model.address, 8000), "POST", "/simulate", JSON, json.dumps({"tokens": TOKENS, "token_delay_ms": 15})).status == 200
    load = Loop((old.address, 8080), threads=6, make=question)
    half = edited(edited(objects, "version: v1, weight: 100", "version: v1, weight: 50"), "version: v2, weight: 0", "version: v2, weight: 50")
    cluster.apply(half)
    said(old, "reloaded")
    assert weights(old) == [50, 50]
    # A mistake: what ran goes on, and the log of the second container has the place.
    wrong = edited(half, "pool: green", "pool: nothing")
    cluster.apply(wrong)
    said(old, "the running configuration stays")
    lines = cluster.config_maps["sluice"]["sluice.yaml"].split("\n")
    line = next(number for number, text in enumerate(lines, 1) if "pool: nothing" in text)
    assert f"/etc/sluice/sluice.yaml:{line}:{lines[line - 1].index('nothing') + 1}: " in old.containers["reload"].log()
    assert old.ready() and weights(old) == [50, 50] and old.containers["reload"].run.child.running()
    cluster.apply(half)
    said(old, "reloaded", 2)

    new = cluster.start(deployment(half), "sluice-1")
    replace(load, old, new)
    assert set(load.variants) == {"stable", "canary"}


def replace(load, old, new):
    """The old pod is deleted under load; the cluster needs a second to send nothing there any more. An answer that begins meanwhile takes six."""
    ends = {}
    deleting = threading.Thread(target=lambda: ends.update(old.terminate()))
    before = load.total
    deleting.start()
    time.sleep(1)
    at_switch = load.total
    load.address = (new.address, 8080)
    time.sleep(2)
    with Client((old.address, 8080)) as client:
        client.request("POST", "/v1/chat/completions", JSON, LONG_QUESTION)
        head = client.final_head()
        wait_for(lambda: refused(old), patience(10), "it takes no new connection after TERM")
        assert not old.containers["sluice"].probe("readinessProbe"), "it says that it drains"
        assert old.containers["sluice"].probe("livenessProbe"), "and lives"
        answer = b"".join(client.pieces(head))
    assert head.status == 200 and answer.count(b'"content"') >= TOKENS and b"[DONE]" in answer
    deleting.join()
    wait_for(lambda: load.total > at_switch + 200, patience(10))
    load.stop()
    print(f"{load.total} requests, ended after {ends}")
    assert load.failures == [] and set(load.statuses) == {200}
    assert at_switch > before, "the old pod answered while it was being deleted"
    assert [code for code, _ in ends.values()] == [0, 0], (ends, old.logs())
    assert ends["reload"][1] < 3 and 5 < ends["sluice"][1] < old.spec["terminationGracePeriodSeconds"] - 5


def refused(pod):
    try:
        with socket.create_connection((pod.address, 8080), timeout=2):
            return False
    except ConnectionRefusedError:
        return True


# ---- what Prometheus scrapes

def secrets(folder, renew=False):
    """Made by the commands of the page; the last two renew the certificate."""
    block = next(one for one in read(PAGE) if "openssl req" in one.text)
    commands = [command for command in block.text.replace("\\\n", " ").removeprefix("$ ").split("\n$ ") if command.startswith("openssl")]
    assert len(commands) == 3
    for command in commands[1:] if renew else commands:
        subprocess.run(["sh", "-euc", command], cwd=folder, check=True, capture_output=True, timeout=patience(30))
    text = {name: (folder / name).read_text(encoding="ascii") for name in ("tls.crt", "tls.key", "ca.crt")}
    return [{"kind": "Secret", "metadata": {"name": "sluice-admin-tls"}, "stringData": text},
            {"kind": "Secret", "metadata": {"name": "sluice-admin-token"}, "stringData": {"token": "a-token-of-24-characters"}}]


class Scraper(SecureAdmin):
    """Prometheus, as the ServiceMonitor tells it: by the pod's address, under the name of the certificate."""

    def __init__(self, pod, endpoint, secret):
        super().__init__(f"{pod.address}:9901", None)
        self.context = ssl.create_default_context(cadata=secret[endpoint["tlsConfig"]["ca"]["secret"]["key"]])
        self.name = endpoint["tlsConfig"]["serverName"]

    def connection(self, timeout=15):
        link = super().connection(timeout)
        link.sock = self.context.wrap_socket(socket.create_connection(self.where, patience(timeout)), server_hostname=self.name)
        return link

    def serial(self):
        with self.context.wrap_socket(socket.create_connection(self.where, 5), server_hostname=self.name) as sock:
            return sock.getpeercert()["serialNumber"]


def test_prometheus_scrapes_it_and_a_renewed_certificate_is_taken(cluster, tmp_path):
    objects = kustomize.build(os.path.join(KUBERNETES, "monitoring"))
    keys = secrets(tmp_path)
    cluster.apply([*objects, *keys])
    pod = cluster.start(deployment(objects), "sluice-0")
    endpoint = next(one for one in objects if one["kind"] == "ServiceMonitor")["spec"]["endpoints"][0]
    assert endpoint["scheme"] == "https"
    scraper = Scraper(pod, endpoint, keys[0]["stringData"])
    code, _, text = scraper.ask("GET", endpoint["path"])
    assert code == 200 and "sluice_build_info" in text
    assert scraper.ask("POST", "/api/v1/reload")[0] == 401
    cluster.apply(edited(objects, "shutdown_grace: 30s", "shutdown_grace: 20s"))
    said(pod, "reloaded")
    before = scraper.serial()
    renewed = secrets(tmp_path, renew=True)
    cluster.apply(renewed)
    said(pod, "reloaded", 2)
    assert Scraper(pod, endpoint, renewed[0]["stringData"]).serial() != before
    assert pod.ready()


# ---- a fleet

@pytest.mark.skipif(not shutil.which("etcd"), reason="etcd is not installed")
def test_three_pods_of_the_chart_have_one_rollout(cluster, tmp_path):
    objects = Chart(os.path.join(KUBERNETES, "chart")).objects(
        {"replicas": 3, "fleet": {"etcd": ["http://etcd:2379"]}, "monitoring": {"enabled": True}})
    cluster.apply([*objects, *secrets(tmp_path)])
    node = cluster.lan.node()
    etcd = Etcd(tmp_path, nodes=[node])
    cluster.name("etcd", node.address)
    try:
        names = [f"sluice-7d9c5b6f4d-{end}" for end in ("2bxkq", "9fzvd", "x7w4l")]
        pods = [cluster.start(deployment(objects), name, wait=False) for name in names]
        for pod in pods:
            pod.wait_ready()
        wait_for(lambda: all(members(pod) == names for pod in pods), patience(10), f"{[pod.logs() for pod in pods]}")
        assert status(pods[0])["fleet"]["prefix"] == "/sluice/default/sluice"
        done = pods[1].containers["sluice"].exec("sh", "-c", "SLUICE_TOKEN=$(read -r t < /etc/sluice/admin.token; echo $t) sluice promote chat")
        assert done.returncode == 0, done.stderr
        wait_for(lambda: all(weights(pod) == [95, 5] for pod in pods), patience(10))
        # One that comes later does not begin anew.
        late = cluster.start(deployment(objects), "sluice-7d9c5b6f4d-m5c8t")
        wait_for(lambda: weights(late) == [95, 5], patience(10), "the new pod has the fleet's weights")
    finally:
        cluster.close()
        etcd.stop()


def members(pod):
    return [member["name"] for member in status(pod)["fleet"]["members"]]
