"""The container image: what is in it, and that it serves as an engine would run it, with a root that cannot be written, as a user that is
not root, without capabilities."""
import json
import os
import re
import stat
import subprocess
import threading
import time

import pytest

from harness.certificates import make_ca, make_certificate
from harness.client import ask
from harness.container import PROJECT, Container, Image, dockerfile, stages
from harness.lan import Lan, networks_are_allowed
from harness.load import Loop
from harness.scale import BINARY, patience
from harness.wait import wait_for

pytestmark = [pytest.mark.once, pytest.mark.skipif(os.getuid() != 0 or not networks_are_allowed(), reason="needs root and network namespaces")]
MOST = 60_000_000
SCRIPTS = {"usr/local/bin/reload-on-change": "docker/reload-on-change.sh"}


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    return Image(tmp_path_factory.mktemp("image") / "root")


@pytest.fixture
def container(image, tmp_path):
    """container(name, *command, …) -> Container, ended with the test."""
    made = []

    def make(name, *command, **settings):
        made.append(Container(image, tmp_path, name, *command, **settings))
        return made[-1]
    yield make
    for one in made:
        one.stop()


@pytest.fixture
def lan():
    made = Lan()
    yield made
    made.close()


# ---- the Dockerfile

def test_the_dockerfile():
    """Its steps are the scripts that people type too, so that what is tested here is what it does."""
    read = dockerfile()
    assert not read["problems"]
    build, last = stages(read["instructions"])
    assert last[0]["text"] == "scratch" and [one["flags"] for one in last if one["keyword"] == "COPY"] == [{"from": "build"}]
    assert {one["keyword"] for one in last} <= {"FROM", "LABEL", "COPY", "ENV", "USER", "WORKDIR", "VOLUME", "EXPOSE", "STOPSIGNAL",
                                               "HEALTHCHECK", "ENTRYPOINT", "CMD"}
    runs = [one["text"] for one in build if one["keyword"] == "RUN"]
    assert runs == ["sh docker/install.sh docker/packages-build.txt docker/packages-image.txt", "sh docker/build.sh",
                    "sh docker/rootfs.sh /rootfs"]
    first = next(one["text"] for one in build if one["keyword"] == "COPY").split()[:-1]
    assert set(re.findall(r"docker/\S+", runs[0])) <= set(first) and all(os.path.exists(os.path.join(PROJECT, path)) for path in first)


def test_a_mistake_in_a_dockerfile_is_found(tmp_path):
    path = tmp_path / "Dockerfile"
    path.write_text("FROM debian:12-slim\nCOPPY . .\nHEALTHCHECK --interval=ten CMD x\n")
    problems = dockerfile(str(path))["problems"]
    assert len(problems) == 2 and problems[0].startswith("line 2: ") and problems[1].startswith("line 3: ")


# ---- what is in it

def needed(path, folders):
    """The names of the libraries that a file and those want, one after the other, as readelf tells."""
    found, waiting = set(), [path]
    while waiting:
        told = subprocess.run(["readelf", "-d", waiting.pop()], capture_output=True, text=True, check=True, timeout=20).stdout
        for name in set(re.findall(r"\(NEEDED\).*\[(.+)\]", told)) - found:
            found.add(name)
            waiting.append(next(os.path.join(folder, name) for folder in folders if os.path.exists(os.path.join(folder, name))))
    return found


def walk(root):
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files]:
            yield os.path.relpath(os.path.join(folder, name), root)


def followed(root, path):
    """Where a link leads inside the root."""
    target = os.readlink(os.path.join(root, path))
    return os.path.join(root, target.lstrip("/")) if target.startswith("/") else os.path.join(root, os.path.dirname(path), target)


def test_what_is_in_it(tmp_path):
    image = Image(tmp_path / "root")
    root = image.root
    entries = {path: os.lstat(os.path.join(root, path)) for path in walk(root)}
    assert sum(info.st_size for info in entries.values()) < MOST
    assert not [path for path, info in entries.items() if info.st_mode & (stat.S_ISUID | stat.S_ISGID)]
    assert [path for path, info in entries.items() if info.st_mode & 0o022 and not stat.S_ISLNK(info.st_mode)] == ["tmp"]
    owned = {path for path, info in entries.items() if (info.st_uid, info.st_gid) != (0, 0)}
    assert owned == {"var/lib/sluice", "var/log/sluice"}
    programs = {path for path in entries if re.match(r"usr/s?bin/|usr/local/bin/", path)}
    assert programs == {"usr/bin/dash", "usr/bin/sh", "usr/bin/sleep", "usr/bin/sha256sum", "usr/local/bin/sluice", *SCRIPTS}
    for inside, source in SCRIPTS.items():
        with open(os.path.join(root, inside), "rb") as one, open(os.path.join(PROJECT, source), "rb") as other:
            assert one.read() == other.read()
    nowhere = [path for path, info in entries.items() if stat.S_ISLNK(info.st_mode) and not os.path.exists(followed(root, path))]
    assert nowhere == []
    assert "not stripped" not in subprocess.run(["file", root + "/usr/local/bin/sluice"], capture_output=True, text=True, check=True).stdout


def test_it_has_the_libraries_that_are_needed_and_no_others(image):
    folders = [folder for folder, _, files in os.walk(image.root + "/usr/lib") if any(".so" in name for name in files)]
    folders += [image.root + "/usr/lib64"] if os.path.isdir(image.root + "/usr/lib64") else []
    there = {name for folder in folders for name in os.listdir(folder) if ".so" in name}
    wanted = {name for program in ("usr/local/bin/sluice", "usr/bin/dash", "usr/bin/sleep", "usr/bin/sha256sum")
              for name in needed(os.path.join(image.root, program), folders)}
    files = {os.path.basename(os.path.realpath(os.path.join(folder, name))) for folder in folders for name in os.listdir(folder) if name in wanted}
    assert wanted <= there and there - wanted - files == set() and len(wanted) > 20


def test_a_mistake_in_memory_finds_the_doors_shut(image):
    """What the compiler and the linker can do: a place that changes, nothing written and run, tables that cannot be overwritten,
    a guard behind arrays on the stack, copies that know the size of where they go."""
    binary = image.root + "/usr/local/bin/sluice"

    def told(option):
        return subprocess.run(["readelf", "--wide", option, binary], capture_output=True, text=True, check=True, timeout=20).stdout
    assert re.search(r"Type: +DYN", told("--file-header"))
    assert re.search(r"GNU_STACK .* RW +0x", told("--program-headers")) and "GNU_RELRO" in told("--program-headers")
    assert "BIND_NOW" in told("--dynamic")
    wanted = told("--dyn-syms")
    assert "__stack_chk_fail@" in wanted and re.search(r"__(mem|str|vsn|sn)\w+_chk@", wanted)


def test_licences_and_versions_of_all_that_was_taken(image):
    """Where scanners of images look for packages."""
    statuses = os.path.join(image.root, "var/lib/dpkg/status.d")
    names = os.listdir(statuses)
    assert {"libc6", "libssl3", "libcurl4", "libevent-core-2.1-7", "dash", "coreutils", "ca-certificates"} <= set(names)
    for name in names:
        with open(os.path.join(statuses, name), encoding="utf-8") as f:
            fields = dict(re.findall(r"(?m)^(\S+): (.*)", f.read()))
        assert fields["Package"] == name and fields["Version"] and fields["Status"] == "install ok installed"
        assert os.path.getsize(os.path.join(image.root, "usr/share/doc", name, "copyright")) > 100
    for name in ("copyright", "LICENSE"):
        assert os.path.getsize(os.path.join(image.root, "usr/share/doc/sluice", name)) > 1000


def test_the_bill_of_materials_names_all_that_was_taken(image, tmp_path):
    """docker/sbom.py refuses a file that is no package's; its packages are those of which the image has the licences."""
    packed = tmp_path / "files.tar"
    subprocess.run(["tar", "-C", image.root, "-cf", packed, "."], check=True, timeout=patience(20))
    done = subprocess.run(["/usr/bin/python3", os.path.join(PROJECT, "docker", "sbom.py"), os.path.dirname(os.path.abspath(BINARY)), packed, "-"],
                          capture_output=True, text=True, check=False, timeout=patience(60))
    assert done.returncode == 0, done.stderr
    told = {one["name"] for one in json.loads(done.stdout)["components"] if one.get("purl", "").startswith("pkg:deb/")}
    assert told >= set(os.listdir(os.path.join(image.root, "var/lib/dpkg/status.d")))


def test_the_same_files_give_the_same_root(tmp_path):
    sums = []
    for name in ("one", "two"):
        Image(tmp_path / name)
        packed = subprocess.run(["tar", "-C", tmp_path / name, "--sort=name", "--numeric-owner", "-cf", "-", "."], capture_output=True, check=True)
        sums.append(packed.stdout)
        time.sleep(1.1)  # another second of the clock
    assert sums[0] == sums[1]


def test_what_the_script_refuses(tmp_path):
    script = os.path.join(PROJECT, "docker", "rootfs.sh")

    def refused(*arguments):
        done = subprocess.run(["sh", script, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=20)
        return done.returncode, done.stderr
    assert refused() == (2, "usage: rootfs.sh FOLDER [BINARY]; FOLDER must not be there yet\n")
    assert refused(tmp_path)[0] == 2 and os.listdir(tmp_path) == []
    assert refused(tmp_path / "r", tmp_path / "none") == (1, f"rootfs.sh: there is no {tmp_path}/none; sh docker/build.sh makes it\n")


# ---- that it serves

def configuration(folder, text):
    """As a person's files are: everybody may read them."""
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "sluice.yaml")
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path + ".new", 0o644)
    os.replace(path + ".new", path)
    os.chmod(folder, 0o755)
    return {"/etc/sluice": folder}


def simple(pool="http://model:8001", listen="0.0.0.0:8080", extra=""):
    return (f"listeners: [{{address: '{listen}'}}]\nadmin: {{address: '127.0.0.1:9901'}}\nworkers: 2\nshutdown_grace: 10s\n{extra}"
            f"pools: {{stable: {{endpoints: ['{pool}']}}}}\nroutes: [{{name: chat, variants: {{stable: {{pool: stable, weight: 100}}}}}}]\n")


def chat(address, port=8080, user="u"):
    return ask((address, port), "POST", "/v1/chat/completions", [("Content-Type", "application/json"), ("X-User-Id", user)],
               '{"model": "m", "messages": [{"role": "user", "content": "hi"}]}', timeout=20)


def test_it_serves_and_is_reloaded_and_ends(container, lan, tmp_path):
    model_node, node = lan.node(), lan.node()
    container("model", "simulate", "--port", "8001", "--bind", "0.0.0.0", "--name", "one", "--latency", "300ms", network=model_node.name)
    folder = tmp_path / "conf"
    one = container("sluice", mounts=configuration(folder, simple()), network=node.name, hosts={"model": model_node.address})
    one.wait_healthy()
    assert chat(node.address).status == 200
    # It is process 1, the user of the image, and there is nothing it could do besides.
    status = dict(re.findall(r"(?m)^(\w+):\t(.*)", one.exec("sh", "-c", "while read -r line; do echo \"$line\"; done </proc/1/status").stdout))
    assert (status["Name"], status["Pid"], status["Uid"].split(), status["NoNewPrivs"], status["Seccomp"]) == ("sluice", "1", ["10001"] * 4, "1", "2")
    assert {status[key] for key in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {"0" * 16}
    assert "Read-only file system" in one.exec("sh", "-c", "echo x >/etc/passwd; echo x >/x").stderr
    # HUP as from `docker kill`, and the command from inside.
    configuration(folder, simple(extra="request_timeout: nonsense\n"))
    refused = one.exec("sluice", "reload")
    assert refused.returncode == 1 and "/etc/sluice/sluice.yaml:5:1" in refused.stdout + refused.stderr
    assert chat(node.address).status == 200
    configuration(folder, simple(pool="http://model:8009"))
    one.signal("HUP")
    wait_for(lambda: chat(node.address).status == 502, patience(10), "it asks elsewhere, where nobody listens")
    configuration(folder, simple())
    assert one.exec("sluice", "reload").returncode == 0
    # TERM: what has begun is answered, and it ends well.
    answers = []
    asked = threading.Thread(target=lambda: answers.append(chat(node.address).status))
    asked.start()
    wait_for(lambda: ask((model_node.address, 8001), target="/simulate").json()["active"] == 1, patience(5), "it is under way")
    assert one.stop() == 0
    asked.join(patience(20))
    assert answers == [200]


def json_status(one):
    return one.exec("sluice", "status", "--once", "--json").stdout


def test_a_mistake_in_the_file_ends_it_with_its_place(container, tmp_path):
    bad = container("bad", mounts=configuration(tmp_path / "conf", simple(extra="nonsense: 1\n")))
    assert bad.child.wait(10) == 1 and "/etc/sluice/sluice.yaml:5:1: unknown key `nonsense`" in bad.child.stderr()
    none = container("none")
    assert none.child.wait(10) == 1 and "/etc/sluice/sluice.yaml" in none.child.stderr()


def test_health(container, tmp_path):
    """The check asks the daemon, and fails where none answers."""
    idle = container("idle", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done", entrypoint=["sh"])
    wait_for(lambda: idle.exec("sh", "-c", ":").returncode == 0, patience(10))
    assert idle.exec(*idle.image.health).returncode == 5
    elsewhere = simple().replace("9901", "9902")
    one = container("sluice", mounts=configuration(tmp_path / "conf", elsewhere), env={"SLUICE_ADMIN": "http://127.0.0.1:9902"}, hosts={"model": "127.0.0.1"})
    one.wait_healthy()


def test_a_rollout_goes_on_in_a_new_container(container, lan, tmp_path):
    """The state is in the volume, which a new container gets."""
    node = lan.node()
    text = simple().replace("{stable: {endpoints: ['http://model:8001']}}", "{stable: {endpoints: ['http://127.0.0.1:8001']}}").replace(
        "routes: [{name: chat, variants: {stable: {pool: stable, weight: 100}}}]",
        "routes:\n- {name: chat, variants: {stable: {pool: stable, weight: 100, version: a}, canary: {pool: stable, weight: 0, version: b}},\n"
        "   rollout: {strategy: canary, steps: [{weight: 5, for: 1h}], guards: {error_rate: {margin: 1}}}}")
    settings = {"mounts": configuration(tmp_path / "conf", text), "network": node.name}
    before = container("before", **settings)
    before.wait_healthy()
    assert before.exec("sluice", "pause", "chat", "--reason", "new container").returncode == 0
    assert before.stop() == 0
    after = container("after", **settings)
    after.wait_healthy()
    route = json.loads(after.exec("sluice", "status", "chat", "--once", "--json").stdout)
    assert "new container" in after.exec("sluice", "explain", "chat", "--last", "5").stdout
    assert (route["rollout"]["state"], route["rollout"]["hold"]) == ("step", "person")


def test_certificates_of_public_authorities(container, lan, tmp_path):
    """An endpoint with TLS is believed by the file that the image has for it; here that file is another one."""
    ca = make_ca(tmp_path)
    leaf = make_certificate(tmp_path, ca, names=["models.example"])
    for path in leaf:
        os.chmod(path, 0o640)
        os.chown(path, 0, 10001)
    far, node, other, told = lan.node(), lan.node(), lan.node(), lan.node()
    secure = simple(pool="http://127.0.0.1:1", listen="0.0.0.0:8443").replace("'0.0.0.0:8443'", "'0.0.0.0:8443', tls: {certificate: /run/tls/cert, private_key: /run/tls/key}")
    secure = secure.replace("variants: {stable: {pool: stable, weight: 100}}", "variants: {stable: {pool: stable, weight: 100}}, match: {path: /none}")
    origin = container("origin", mounts={**configuration(tmp_path / "origin", secure), "/run/tls/cert": leaf.certificate, "/run/tls/key": leaf.key},
                       network=far.name)
    origin.wait_healthy()
    conf = configuration(tmp_path / "conf", simple(pool="https://models.example:8443"))
    hosts = {"models.example": far.address}
    bundle = {"/etc/ssl/certs/ca-certificates.crt": ca.certificate}
    os.chmod(ca.certificate, 0o644)
    trusting = container("trusting", mounts={**conf, **bundle}, network=node.name, hosts=hosts)
    doubting = container("doubting", mounts=conf, network=other.name, hosts=hosts)
    named = container("named", mounts={**conf, "/run/ca.pem": ca.certificate}, env={"SSL_CERT_FILE": "/run/ca.pem"}, network=told.name, hosts=hosts)
    for one in (trusting, doubting, named):
        one.wait_healthy()
    assert ask((told.address, 8080)).status == 404
    assert ask((node.address, 8080)).status == 404, "the far one answers"
    assert ask((other.address, 8080)).status == 502
    public = os.path.join(trusting.image.root, "usr/lib/ssl/cert.pem")
    assert os.readlink(public) == "/etc/ssl/certs/ca-certificates.crt"
    with open(trusting.image.root + os.readlink(public), encoding="ascii") as f:
        assert f.read().count("BEGIN CERTIFICATE") > 50


def test_the_demo(container):
    done = container("demo", "demo", "--plain", "--duration", "3s", "--port", "0", "--admin-port", "0", tmpfs=["/tmp"])
    assert done.child.wait(30) == 0 and "canary" in done.child.stdout()


# ---- reload-on-change

class ConfigMap:
    """A folder as Kubernetes mounts a ConfigMap: files are links into ..data, itself a link, that is swapped whole."""

    def __init__(self, folder, **files):
        self.folder, self.turn = str(folder), 0
        os.makedirs(self.folder)
        self.put(**files)
        for name in files:
            os.symlink(os.path.join("..data", name), os.path.join(self.folder, name))

    def put(self, **files):
        self.turn += 1
        made = f"..turn_{self.turn}"
        os.makedirs(os.path.join(self.folder, made))
        for name, text in files.items():
            with open(os.path.join(self.folder, made, name), "w", encoding="utf-8") as f:
                f.write(text)
            os.chmod(f.name, 0o644)
        os.chmod(os.path.join(self.folder, made), 0o755)
        os.chmod(self.folder, 0o755)
        os.symlink(made, os.path.join(self.folder, "..new"))
        os.rename(os.path.join(self.folder, "..new"), os.path.join(self.folder, "..data"))


def wait_until_it_looks(beside):
    """Until reload-on-change sleeps: it knows then what there was."""
    names = 'for file in /proc/[0-9]*/comm; do read -r name <"$file" && echo "$name"; done'
    wait_for(lambda: "sleep" in beside.exec("sh", "-c", names).stdout.split(), patience(10), "it has looked")


def test_it_reloads_when_a_configmap_changes(container, lan, tmp_path):
    model_node, node = lan.node(), lan.node()
    container("model", "simulate", "--port", "8001", "--bind", "0.0.0.0", "--latency", "1ms", "--jitter", "1ms", network=model_node.name)
    mapped = ConfigMap(tmp_path / "conf", **{"sluice.yaml": simple()})
    hosts = {"model": model_node.address}
    one = container("sluice", mounts={"/etc/sluice": mapped.folder}, network=node.name, hosts=hosts)
    beside = container("reload", "/etc/sluice", "0.2", entrypoint=["reload-on-change"], mounts={"/etc/sluice": mapped.folder}, network=node.name)
    one.wait_healthy()
    wait_until_it_looks(beside)
    load = Loop((node.address, 8080), threads=2, make=lambda i: ("GET", "/health", [("X-User-Id", f"u{i}")], None))

    def versions():
        return [route["variants"][0]["version"] for route in json.loads(json_status(one))["routes"]]

    def changed(version):
        return simple().replace("weight: 100}", f"weight: 100, version: {version}}}")
    mapped.put(**{"sluice.yaml": changed("two")})
    wait_for(lambda: versions() == ["two"], patience(10), "it is reloaded")
    mapped.put(**{"sluice.yaml": changed("[")})
    wait_for(lambda: "sluice.yaml:" in beside.child.stderr() + beside.child.stdout(), patience(10), "the mistake is told with its place")
    assert versions() == ["two"] and beside.child.running()
    mapped.put(**{"sluice.yaml": changed("three")})
    wait_for(lambda: versions() == ["three"], patience(10), "it goes on after a mistake")
    time.sleep(1)
    assert beside.child.stderr().count("has changed") == 3, "and does nothing when nothing changes"
    assert not load.stop().failures
    assert beside.stop() == 0


def test_a_daemon_that_does_not_answer_is_asked_again(container, lan, tmp_path):
    node, mapped = lan.node(), ConfigMap(tmp_path / "conf", **{"sluice.yaml": simple(pool="http://127.0.0.1:8001")})
    settings = {"mounts": {"/etc/sluice": mapped.folder}, "network": node.name}
    beside = container("reload", "/etc/sluice", "0.2", entrypoint=["reload-on-change"], **settings)
    wait_until_it_looks(beside)
    mapped.put(**{"sluice.yaml": simple(pool="http://127.0.0.1:8002")})
    wait_for(lambda: beside.child.stderr().count("cannot") > 1, patience(10), "it has tried twice")
    container("sluice", **settings).wait_healthy()
    wait_for(lambda: "reloaded" in beside.child.stdout(), patience(10), "it is reloaded")
    assert beside.child.stderr().count("has changed") == 1


def test_reload_on_change_wants_a_folder(container):
    wrong = container("wrong", "/none", entrypoint=["reload-on-change"])
    assert wrong.child.wait(10) == 2 and wrong.child.stderr() == "reload-on-change: /none is not a folder\n"
    empty = container("empty", entrypoint=["reload-on-change"])
    assert empty.child.wait(10) == 2
