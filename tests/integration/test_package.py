"""The Debian package: what is in it, and its life on a clean machine, where a real systemd runs the unit as it is: installed, started,
reloaded, upgraded under load, removed, purged."""
import json
import os
import re
import shutil
import subprocess
import tempfile

import pytest

from harness.client import ask
from harness.load import Loop
from harness.machine import Machine
from harness.package import build, say
from harness.root import Root
from harness.scale import BINARY, patience
from harness.wait import wait_for

pytestmark = pytest.mark.once

PROJECT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
CONFIG = "/etc/sluice/sluice.yaml"
QUESTION = ("POST", "/v1/chat/completions", [("Content-Type", "application/json")],
            b'{"model":"m","messages":[{"role":"user","content":"hi"}]}')
# What any installation of anything may change beside its own files.
VOLATILE = re.compile(r"/(dev|proc|sys|run|tmp)(/|$)|/var/(cache|tmp)/|/var/lib/(dpkg|apt|systemd|logrotate)/|/var/log/(journal|apt|dpkg)|"
                      r"/etc/(passwd|group|shadow|gshadow|subuid|subgid)-?$")


@pytest.fixture(scope="module")
def deb(tmp_path_factory):
    return build(tmp_path_factory.mktemp("deb") / "a")


def repack(deb, folder, version, change):
    """The package as `version`, with what `change(folder)` does to its files."""
    unpacked = folder / ("unpacked-" + version)
    say("dpkg-deb", "-R", deb, str(unpacked))
    control = unpacked / "DEBIAN" / "control"
    control.write_text(re.sub(r"(?m)^Version: .*", "Version: " + version, control.read_text()))
    change(unpacked)
    made = str(folder / f"sluice_{version}.deb")
    say("dpkg-deb", "--root-owner-group", "-Znone", "-b", str(unpacked), made)
    shutil.rmtree(unpacked)
    return made


# What other parts of the project make, and where it goes.
ELSEWHERE = {"docs/man/sluice.1": "man/man1/sluice.1.gz", "docs/man/sluice.yaml.5": "man/man5/sluice.yaml.5.gz",
             "docs/CHANGELOG.md": "doc/sluice/changelog.gz", "config/completions/sluice.bash": "bash-completion/completions/sluice",
             "config/completions/_sluice": "zsh/vendor-completions/_sluice",
             "config/completions/sluice.fish": "fish/vendor_completions.d/sluice.fish",
             "config/sluice.schema.json": "sluice/sluice.schema.json"}


def test_the_package_is_as_debian_wants_it(deb, tmp_path):
    there = {path for path in ELSEWHERE if os.path.exists(os.path.join(PROJECT, path))}
    listing = say("dpkg-deb", "-c", deb)
    assert [path for path in there if f" ./usr/share/{ELSEWHERE[path]}\n" not in listing] == []
    allowed = [] if "docs/man/sluice.1" in there else ["--suppress-tags", "no-manual-page"]
    assert subprocess.run(["lintian", "--allow-root", *allowed, deb], capture_output=True, text=True, check=False,
                          timeout=patience(60)).stdout == ""
    again = build(tmp_path / "again")
    with open(deb, "rb") as one, open(again, "rb") as other:
        assert one.read() == other.read(), "the same binary does not give the same package"
    fields = dict(re.findall(r"(?m)^(\S+): (.*)", say("dpkg-deb", "-f", deb)))
    changelog = say("dpkg-parsechangelog", "-l", os.path.join(PROJECT, "docker", "deb", "changelog"), "-S", "Version").strip()
    assert fields["Version"] == changelog
    assert say(BINARY, "version").split()[1] == changelog.split("-")[0]


# --------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def machine(tmp_path, deb):
    """A machine that has what the package depends on, and not the package. Its disk is memory: a quarter of the time."""
    with tempfile.TemporaryDirectory(prefix="slc-", dir="/dev/shm") as disk:
        root = Root(disk + "/root", "systemd-sysv", "dbus")
        shutil.copy(deb, root.path("/var/tmp/sluice.deb"))
        planned = root.run("apt-get", "-s", "install", "/var/tmp/sluice.deb").stdout
        others = [name for name in re.findall(r"(?m)^Inst (\S+)", planned) if name != "sluice"]
        assert {"libcurl4", "logrotate", "ca-certificates"} <= set(others)
        with open(root.path("/etc/dpkg/dpkg.cfg.d/quick"), "w", encoding="ascii") as f:
            f.write("force-unsafe-io\n")
        root.install(*others)
        made = Machine(root, tmp_path)
        try:
            yield made
        finally:
            made.close()


def files(machine):
    found = machine.run("find", "/", "-xdev", "-not", "-type", "d", "-o", "-path", "*sluice*").stdout.splitlines()
    return {path for path in found if not VOLATILE.match(path)}


def dpkg(machine, *arguments, **settings):
    done = machine.run("dpkg", *arguments, **settings)
    return done.stdout + done.stderr


def service(machine):
    return machine.show("sluice.service", "ActiveState", "MainPID", "NRestarts", "Result")


def status(machine):
    return json.loads(machine.run("sluice", "status", "--json").stdout)


def journal(machine):
    return machine.sh("journalctl -u sluice --no-pager -o cat")


def modes(machine, *paths):
    return dict(line.split(" ", 1) for line in machine.run("stat", "-c", "%n %a %U:%G", *paths).stdout.splitlines())


def edit(machine, old, new):
    with open(machine.root.path(CONFIG), encoding="utf-8") as f:
        text = f.read()
    assert old in text
    with open(machine.root.path(CONFIG), "w", encoding="utf-8") as f:
        f.write(text.replace(old, new))


def install_and_look(machine):
    """Installed, the service runs: its first configuration serves this machine alone, as a user of its own that may nothing else."""
    machine.run("apt-get", "-q", "install", "-y", "/var/tmp/sluice.deb", timeout=100)
    wait_for(lambda: service(machine)["ActiveState"] == "active", patience(10), journal(machine))
    assert machine.run("systemctl", "is-enabled", "sluice").stdout.strip() == "enabled"
    assert modes(machine, CONFIG, "/usr/bin/sluice", "/var/lib/sluice", "/var/log/sluice", "/var/log/sluice/access.log", "/run/sluice",
                 "/var/lib/sluice/request_id.key") == {
        CONFIG: "644 root:root", "/usr/bin/sluice": "755 root:root", "/var/lib/sluice": "750 sluice:sluice",
        "/var/log/sluice": "2750 sluice:adm", "/var/log/sluice/access.log": "640 sluice:adm", "/run/sluice": "755 sluice:sluice",
        "/var/lib/sluice/request_id.key": "600 sluice:sluice"}
    user = machine.run("getent", "passwd", "sluice").stdout.strip().split(":")
    assert user[5:] == ["/nonexistent", "/usr/sbin/nologin"] and 100 <= int(user[2]) < 1000
    assert dpkg(machine, "--verify", "sluice") == ""
    pid = service(machine)["MainPID"]
    about = dict(line.split(":", 1) for line in machine.sh(f"cat /proc/{pid}/status").splitlines())
    assert set(about["Uid"].split()) == {user[2]}
    assert about["NoNewPrivs"].strip() == "1" and about["Seccomp"].strip() == "2"
    assert int(about["CapBnd"], 16) == int(about["CapEff"], 16) == 1 << 10    # CAP_NET_BIND_SERVICE
    assert machine.sh(f"stat -c %T -f /proc/{pid}/root/home; ls -A /proc/{pid}/root/home").split() == ["tmpfs"]
    assert machine.run("sluice", "check", CONFIG).returncode == 0
    listening = machine.sh("cat /proc/net/tcp /proc/net/tcp6")
    assert {line.split()[1] for line in listening.splitlines() if line.split()[3] == "0A"} == {"0100007F:1F90", "0100007F:26AD"}
    documents = machine.sh("dpkg -L sluice | grep ^/usr/share/doc").split()
    for example in (path for path in documents if re.search(r"/examples/[\w-]+\.yaml$", path)):
        machine.run("sluice", "check", example)


def verify_unit(machine):
    said = machine.run("systemd-analyze", "verify", "sluice.service", check=False)
    unknown = [line for line in (said.stdout + said.stderr).splitlines() if "man sluice" not in line]    # there is no man here
    assert unknown == []
    with open(os.path.join(PROJECT, "docs", "howto", "install.md"), encoding="utf-8") as f:
        stated = re.search(r"exposure level[^.]*?(\d+\.\d) of 10", f.read())[1]
    said = machine.run("systemd-analyze", "security", "--no-pager", "sluice.service").stdout
    assert re.search(r"exposure level for sluice.service: (\S+)", said)[1] == stated


def serve(machine):
    """A configuration of its owner: port 80, for everybody; a reload brings it."""
    for port, name in ((8001, "blue"), (8002, "green")):
        machine.run("systemd-run", "--quiet", f"--unit=model-{name}", "sluice", "simulate", "--port", str(port), "--name", name)
    edit(machine, "address: 127.0.0.1:8080", "address: 0.0.0.0:80 # all may come")
    pid = service(machine)["MainPID"]
    machine.run("systemctl", "reload", "sluice")
    web = (machine.address, 80)
    wait_for(lambda: answers(web), patience(10), journal(machine))
    assert service(machine)["MainPID"] == pid
    return web


def answers(web):
    try:
        return ask(web, *QUESTION).status == 200
    except OSError:
        return False


def reload_with_a_mistake(machine, web):
    before = service(machine)
    edit(machine, "weight: 100}", "wieght: 100}")
    assert machine.run("systemctl", "reload", "sluice", check=False).returncode != 0
    assert re.search(CONFIG + r":\d+:\d+: .*wieght", journal(machine))
    assert answers(web)
    edit(machine, "wieght: 100}", "weight: 100}")
    machine.run("systemctl", "reload", "sluice")
    assert service(machine) == before


def rotate(machine, web):
    log = machine.root.path("/var/log/sluice/access.log")
    assert os.path.getsize(log) > 0
    machine.run("logrotate", "--force", "/etc/logrotate.d/sluice")

    def written_anew():
        answers(web)
        return os.path.getsize(log) > 0
    wait_for(written_anew, patience(10))
    assert modes(machine, "/var/log/sluice/access.log", "/var/log/sluice/access.log.1") == {
        "/var/log/sluice/access.log": "640 sluice:adm", "/var/log/sluice/access.log.1": "640 sluice:adm"}


def another_version(unpacked):
    """A binary that is another one and says so, and a file of the configuration that the new version ships changed."""
    binary = unpacked / "usr" / "bin" / "sluice"
    content = binary.read_bytes()
    assert content.count(b"\x000.1.0\0") >= 1
    binary.write_bytes(content.replace(b"\x000.1.0\0", b"\x000.1.9\0"))
    config = unpacked / "etc" / "sluice" / "sluice.yaml"
    config.write_text("# new words in the package\n" + config.read_text())


def no_version(unpacked):
    binary = unpacked / "usr" / "bin" / "sluice"
    binary.write_text("#!/bin/sh\nexit 7\n")


def upgrade_under_load(machine, web, package):
    shutil.copy(package, machine.root.path("/var/tmp/new.deb"))
    old = service(machine)["MainPID"]
    load = Loop(web, 4, lambda _: QUESTION)
    wait_for(lambda: load.total > 200, patience(20))
    said = dpkg(machine, "--force-confdef", "--force-confold", "-i", "/var/tmp/new.deb")
    count = load.total
    wait_for(lambda: load.total > count + 200 or load.failures, patience(20))
    load.stop()
    assert load.failures == [] and set(load.statuses) == {200}
    assert "did not take over" not in said
    now = service(machine)
    assert now["MainPID"] != old and now["ActiveState"] == "active" and now["NRestarts"] == "0"
    assert status(machine)["version"].startswith("0.1.9")
    with open(machine.root.path(CONFIG), encoding="utf-8") as f:
        assert "all may come" in f.read()
    assert os.path.exists(machine.root.path(CONFIG + ".dpkg-dist"))
    os.unlink(machine.root.path(CONFIG + ".dpkg-dist"))
    return watchdog(machine)


def watchdog(machine):
    """When systemd last heard of it."""
    return int(machine.show("sluice.service", "WatchdogTimestampMonotonic")["WatchdogTimestampMonotonic"])


def die(machine, web):
    machine.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", "sluice")
    wait_for(lambda: service(machine)["NRestarts"] == "1" and answers(web), patience(20), journal(machine))


def upgrade_that_fails(machine, web, package):
    """A new binary that does not come to serve: the old one goes on, and whoever upgrades is told."""
    shutil.copy(package, machine.root.path("/var/tmp/new.deb"))
    before = service(machine)
    load = Loop(web, 2, lambda _: QUESTION)
    said = dpkg(machine, "--force-confdef", "--force-confold", "-i", "/var/tmp/new.deb")
    load.stop()
    assert load.failures == [] and set(load.statuses) == {200}
    assert "did not take over" in said
    assert service(machine) == before


def remove(machine, before):
    dpkg(machine, "--remove", "sluice")
    assert machine.run("systemctl", "is-active", "sluice", check=False).stdout.strip() in ("inactive", "unknown")
    assert "stopped" in journal(machine)
    left = files(machine) - before
    assert {CONFIG, "/etc/logrotate.d/sluice", "/var/log/sluice/access.log", "/var/lib/sluice/request_id.key"} <= left
    assert not [path for path in left if path.startswith("/usr/")]


def start_by_upgrade(machine):
    """What was stopped is started, unless the machine's owner has a policy against it."""
    policy = machine.root.path("/usr/sbin/policy-rc.d")
    with open(policy, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\nexit 101\n")
    os.chmod(policy, 0o755)
    dpkg(machine, "-i", "/var/tmp/sluice.deb")
    assert service(machine)["ActiveState"] == "inactive"
    os.unlink(policy)
    dpkg(machine, "-i", "/var/tmp/sluice.deb")
    assert service(machine)["ActiveState"] == "active"


def socket_activation(machine, web):
    """The example of the package: who comes while the service is down waits, and starts it."""
    unit = "/etc/systemd/system/sluice.socket"
    example = machine.sh("cat /usr/share/doc/sluice/examples/sluice.socket")
    assert "ListenStream=127.0.0.1:8080\n" in example    # the address of the first configuration
    with open(machine.root.path(unit), "w", encoding="utf-8") as f:
        f.write(example.replace("127.0.0.1:8080", "0.0.0.0:80"))
    machine.sh("systemctl daemon-reload; systemctl stop sluice; systemctl enable --now sluice.socket; systemctl start sluice")
    assert answers(web)
    machine.run("systemctl", "stop", "sluice.service")
    assert service(machine)["ActiveState"] == "inactive"
    assert answers(web)
    assert service(machine)["ActiveState"] == "active"
    machine.run("systemctl", "disable", "--now", "sluice.socket")
    os.unlink(machine.root.path(unit))


@pytest.mark.heavy
def test_a_life(machine, deb, tmp_path):
    before = files(machine)
    install_and_look(machine)
    verify_unit(machine)
    web = serve(machine)
    reload_with_a_mistake(machine, web)
    rotate(machine, web)
    heard = upgrade_under_load(machine, web, repack(deb, tmp_path, "0.1.9-1", another_version))
    upgrade_that_fails(machine, web, repack(deb, tmp_path, "0.1.9-2", no_version))
    wait_for(lambda: watchdog(machine) > heard, patience(20), "the new binary speaks to the watchdog")
    remove(machine, before)
    dpkg(machine, "-i", "/var/tmp/sluice.deb")
    wait_for(lambda: answers(web), patience(10), journal(machine))    # the file of its owner has been kept
    die(machine, web)
    machine.run("systemctl", "stop", "sluice")
    assert service(machine)["Result"] == "success"
    start_by_upgrade(machine)
    socket_activation(machine, web)
    dpkg(machine, "--purge", "sluice")
    assert files(machine) - before == set()
    assert before - files(machine) == set()
