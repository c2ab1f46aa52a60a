"""What the process gives up: root, new privileges, system calls that serving does not need, core files."""
import errno
import os
import platform
import pwd
import shutil
import signal
import subprocess
import tempfile

import pytest

from harness import intruder
from harness.load import free_port
from harness.scale import sanitizer
from harness.sluice import cli, pool, route
from harness.wait import wait_for

ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="only root can become somebody else")
confined = pytest.mark.skipif(sanitizer() is not None, reason="a sanitizer's runtime makes calls of its own")
NOBODY = pwd.getpwnam("nobody")
BIND_LOW_PORTS = 1 << 10


@pytest.fixture
def tmp_path():
    """A folder that everybody may enter, for daemons that do not stay root."""
    import pathlib  # pylint: disable=import-outside-toplevel
    before = os.umask(0o022)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-public-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
    os.umask(before)


def threads(daemon):
    """{name: {key: value}} of /proc/PID/task/*/status."""
    found = {}
    for task in os.listdir(f"/proc/{daemon.pid}/task"):
        with open(f"/proc/{daemon.pid}/task/{task}/status", encoding="ascii", errors="replace") as file:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        found[fields["Name"]] = fields
    return found


def settings(server, tmp_path, **more):
    return {"admin": {"address": f"127.0.0.1:{free_port()}"}, "access_log": {"path": str(tmp_path / "access.log")},
            "state_dir": str(tmp_path / "state"), "pools": {"stable": pool(server)}, "routes": [route()], **more}


def start_as_nobody(start_sluice, upstream, tmp_path, **more):
    config = settings(upstream("stable"), tmp_path, user="nobody", **more)
    os.mkdir(tmp_path / "state")
    os.chown(tmp_path / "state", NOBODY.pw_uid, NOBODY.pw_gid)
    return start_sluice(config)


# ---- always

@confined
def test_every_thread_is_confined(start_sluice, upstream, tmp_path):
    daemon = start_sluice(settings(upstream("stable"), tmp_path))
    assert daemon.ask().status == 200
    seen = threads(daemon)
    assert {"sluice", "worker-00", "worker-01", "access-log"} <= set(seen), set(seen)
    for name, fields in seen.items():
        assert fields["Seccomp"] == "2" and fields["NoNewPrivs"] == "1", (name, fields)


@confined
def test_the_filter_can_be_turned_off_and_only_by_a_start(start_sluice, upstream, tmp_path):
    daemon = start_sluice(settings(upstream("stable"), tmp_path, seccomp="off"))
    assert {fields["Seccomp"] for fields in threads(daemon).values()} == {"0"}
    assert {fields["NoNewPrivs"] for fields in threads(daemon).values()} == {"1"}
    daemon.config.update(seccomp="on", core_dumps=True)
    daemon.write()
    warnings = daemon.reload().json()["warnings"]
    assert any("seccomp: on takes effect at the next start; off is in force" in str(w) for w in warnings), warnings
    assert any("core_dumps: true takes effect at the next start" in str(w) for w in warnings), warnings
    assert {fields["Seccomp"] for fields in threads(daemon).values()} == {"0"}
    assert len(daemon.reload().json()["warnings"]) == len(warnings), "as long as it waits"
    daemon.restart()
    assert {fields["Seccomp"] for fields in threads(daemon).values()} == {"2"}


# By number: x86-64 only, as is who asks.
GETPGRP, CHROOT, UNSHARE, BPF, SOCKET, GETPID = 111, 161, 272, 321, 41, 39
AF_PACKET, SOCK_RAW, CLONE_NEWUSER = 17, 3, 0x10000000


@confined
@as_root
@pytest.mark.skipif(platform.machine() != "x86_64", reason="calls are numbered otherwise")
def test_the_running_daemon_cannot_make_calls_from_outside(start_sluice, upstream, tmp_path):
    daemon = start_sluice(settings(upstream("stable"), tmp_path))
    assert intruder.ask(daemon.pid, GETPID) == daemon.pid
    for call, answer in (((CHROOT, 0), -errno.EPERM), ((UNSHARE, CLONE_NEWUSER), -errno.EPERM), ((BPF, 0, 0, 0), -errno.EPERM),
                         ((SOCKET, AF_PACKET, SOCK_RAW, 0), -errno.ENOSYS), ((GETPGRP,), -errno.ENOSYS)):
        assert intruder.ask(daemon.pid, *call) == answer, call
    assert daemon.ask().status == 200 and daemon.reload().status == 200, "it goes on"


@confined
@as_root
@pytest.mark.skipif(platform.machine() != "x86_64", reason="calls are numbered otherwise")
def test_they_can_be_written_down_instead(start_sluice, upstream, tmp_path):
    daemon = start_sluice(settings(upstream("stable"), tmp_path, seccomp="log"))
    assert {fields["Seccomp"] for fields in threads(daemon).values()} == {"2"}
    assert intruder.ask(daemon.pid, GETPGRP) == os.getpgid(daemon.pid)
    assert daemon.ask().status == 200


@confined
def test_it_leaves_no_core_file_unless_told_to(start_sluice, upstream, tmp_path):
    def dumpable(daemon):  # who cannot be dumped has root's files in /proc
        return os.stat(f"/proc/{daemon.pid}/environ").st_uid != 0
    if not ROOT:
        pytest.skip("seen by the owner of /proc/PID")
    daemon = start_as_nobody(start_sluice, upstream, tmp_path)
    assert not dumpable(daemon)
    daemon.config["core_dumps"] = True
    daemon.write()
    daemon.restart()
    assert dumpable(daemon)


# ---- another user

@as_root
def test_root_becomes_the_user(start_sluice, upstream, tmp_path):
    port = free_low_port()
    daemon = start_as_nobody(start_sluice, upstream, tmp_path, listeners=[{"address": f"127.0.0.1:{port}"}])
    assert daemon.ask().status == 200
    uid, gid = str(NOBODY.pw_uid), str(NOBODY.pw_gid)
    for name, fields in threads(daemon).items():
        assert fields["Uid"].split() == [uid] * 4 and fields["Gid"].split() == [gid] * 4, (name, fields)
        assert "0" not in fields["Groups"].split(), (name, fields)
        kept = int(fields["CapPrm"], 16) | int(fields["CapEff"], 16) | int(fields["CapAmb"], 16)
        assert kept & ~BIND_LOW_PORTS == 0, (name, fields)
        assert fields["NoNewPrivs"] == "1"
    for path in [tmp_path / "access.log", *(tmp_path / "state").iterdir()]:
        assert path.stat().st_uid == NOBODY.pw_uid, path


@as_root
def test_low_ports_logs_and_certificates_after_it(start_sluice, upstream, tmp_path):
    daemon = start_as_nobody(start_sluice, upstream, tmp_path)
    port = free_low_port()
    daemon.config["listeners"].append({"address": f"127.0.0.1:{port}"})
    daemon.write()
    assert daemon.reload().status == 200, daemon.stderr()
    os.rename(tmp_path / "access.log", tmp_path / "access.log.1")
    daemon.child.signal(signal.SIGUSR1)
    wait_for(lambda: "access log not reopened" in daemon.stderr(), what="the folder is not the user's, and the log says so")
    (tmp_path / "access.log").touch()
    os.chown(tmp_path / "access.log", NOBODY.pw_uid, NOBODY.pw_gid)  # as logrotate does
    daemon.child.signal(signal.SIGUSR1)
    wait_for(lambda: "access log reopened" in daemon.stderr())
    assert daemon.ask().status == 200
    wait_for(lambda: (tmp_path / "access.log").stat().st_size > 0)


@as_root
def test_what_only_root_can_read_is_told_at_the_start(start_sluice, upstream, tmp_path):
    (tmp_path / "admin.token").write_text("0123456789abcdef0123456789\n", encoding="ascii")
    (tmp_path / "admin.token").chmod(0o600)
    daemon = start_as_nobody(start_sluice, upstream, tmp_path, admin={"address": f"127.0.0.1:{free_port()}", "token_file": "admin.token"})
    sentence = f"user nobody cannot read {tmp_path}/admin.token: reloads will fail"
    assert sentence in daemon.stderr()
    checked = cli("check", daemon.path)
    assert checked.returncode == 0 and f"warning: {sentence}" in checked.stderr, checked
    refused = daemon.admin("0123456789abcdef0123456789").post("/api/v1/reload")
    assert refused.status == 422 and "Permission denied" in refused.text
    assert daemon.ask().status == 200


def run_config(tmp_path, server, **more):
    import yaml  # pylint: disable=import-outside-toplevel
    path = tmp_path / "sluice.yaml"
    path.write_text(yaml.safe_dump({"listeners": [{"address": "127.0.0.1:0"}], **settings(server, tmp_path, **more)}), encoding="utf-8")
    return path


@as_root
def test_a_state_dir_that_the_user_cannot_write_stops_the_start(upstream, tmp_path):
    os.mkdir(tmp_path / "state", 0o755)
    path = run_config(tmp_path, upstream("stable"), user="nobody")
    done = cli("run", "-c", path)
    assert done.returncode == 1
    assert f"user nobody cannot write in state_dir {tmp_path}/state; run chown -R nobody {tmp_path}/state" in done.stderr, done.stderr


@as_root
def test_a_state_dir_that_is_missing_is_made_for_the_user(start_sluice, upstream, tmp_path):
    daemon = start_as_nobody(start_sluice, upstream, tmp_path)
    assert daemon.stop() == 0
    shutil.rmtree(tmp_path / "state")
    daemon.start()
    assert (tmp_path / "state").stat().st_uid == NOBODY.pw_uid
    assert (tmp_path / "state" / "request_id.key").stat().st_uid == NOBODY.pw_uid


def test_a_user_that_is_not_there(upstream, tmp_path):
    path = run_config(tmp_path, upstream("stable"), user="no-such-user")
    for command in (("check",), ("run", "-c")):
        done = cli(*command, path)
        assert done.returncode == 1 and "there is no user `no-such-user` on this machine" in done.stderr, done.stderr
    path = run_config(tmp_path, upstream("stable"), user="nobody:no-such-group")
    done = cli("check", path)
    assert done.returncode == 1 and "there is no group `no-such-group` on this machine" in done.stderr, done.stderr


@as_root
def test_who_is_not_root_can_only_stay(start_sluice, upstream, tmp_path):
    prefix = ["setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}", "--clear-groups", "--"]
    (tmp_path / "own").mkdir()
    os.chown(tmp_path / "own", NOBODY.pw_uid, NOBODY.pw_gid)
    daemon = start_sluice(settings(upstream("stable"), tmp_path / "own", user="nobody"), argv_prefix=prefix)
    assert daemon.ask().status == 200
    path = run_config(tmp_path / "own", upstream("other"), user="daemon")
    from harness.scale import BINARY  # pylint: disable=import-outside-toplevel
    done = subprocess.run([*prefix, BINARY, "run", "-c", str(path)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"only root can become `daemon`; this is user {NOBODY.pw_uid}" in done.stderr, done.stderr


@as_root
def test_serving_as_root_is_said(start_sluice, upstream, tmp_path):
    daemon = start_sluice(settings(upstream("stable"), tmp_path))
    assert "serving as root" in daemon.stderr()
    daemon.config["user"] = "nobody"
    daemon.write()
    warnings = daemon.reload().json()["warnings"]
    assert any("user: nobody takes effect at the next start" in str(w) for w in warnings), warnings


def free_low_port():
    import socket  # pylint: disable=import-outside-toplevel
    for port in range(600 + os.getpid() % 300, 1024):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no port below 1024 is free")
