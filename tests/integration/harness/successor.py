"""Binary upgrades: a daemon whose process is followed by another one."""
import ctypes
import os
import re
import signal
import time

from .process import Child
from .scale import patience
from .sluice import pool, route
from .wait import wait_for

SERVES = re.compile(r"this binary serves now\b.*\bpid=(\d+)")
_SUBREAPER = 36


def adopt_orphans():
    """A new binary is the child of the old one; when that ends it becomes ours, and its exit code with it."""
    assert ctypes.CDLL(None).prctl(_SUBREAPER, 1, 0, 0, 0) == 0


class Successor(Child):
    """A process that another one has started: as a Child, once its parent has ended."""

    def __init__(self, pid, like):  # pylint: disable=super-init-not-called
        self.pid = pid
        self.name = f"{like.name}+"
        self.out_path, self.err_path = like.out_path, like.err_path
        self.code = None

    def running(self):
        if self.code is not None:
            return False
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:  # its parent still lives
            return os.path.exists(f"/proc/{self.pid}")
        if pid == 0:
            return True
        self.code = os.waitstatus_to_exitcode(status)
        return False

    def signal(self, number):
        os.kill(self.pid, number)

    def wait(self, timeout=20):
        deadline = time.monotonic() + patience(timeout)
        while self.running():
            assert time.monotonic() < deadline, f"{self.name} (pid {self.pid}) did not end\n{self.stderr()[-4000:]}"
            time.sleep(0.01)
        return self.code

    def kill(self):
        if self.running():
            self.signal(signal.SIGKILL)
            self.wait()


def serving(daemon):
    """The pids of the binaries that came to serve by an upgrade, oldest first."""
    return [int(pid) for pid in SERVES.findall(daemon.stderr())]


def upgrade(daemon, timeout=20):
    """USR2; the new process is the daemon's from now on. Returns the old one, which may still have requests."""
    before, old = len(serving(daemon)), daemon.child
    old.signal(signal.SIGUSR2)
    wait_for(lambda: len(serving(daemon)) > before, patience(timeout), "the new binary serves")
    daemon.child = Successor(serving(daemon)[-1], old)
    return old


def failed(daemon, count, timeout=20):
    """Waits until so many upgrades have failed, by the log."""
    wait_for(lambda: daemon.stderr().count("upgrade failed, this binary goes on") >= count, patience(timeout),
             f"{count} upgrades failed")


def config(server, **settings):
    return {"shutdown_grace": "120s", "pools": {"stable": pool(server), "canary": pool(server)},
            "routes": [route("chat", {"stable": 70, "canary": 30}, sticky={"by": ["header X-User-Id"]})], **settings}


def rollout(server, **settings):
    return {"pools": {"stable": pool(server), "canary": pool(server)}, "routes": [route("chat", {
        "stable": {"pool": "stable", "version": "v1", "weight": 100}, "canary": {"pool": "canary", "version": "v2", "weight": 0}},
        rollout={"strategy": "canary", "baseline": "stable", "candidate": "canary", "guards": {"error_rate": {"margin": 5}},
                 "steps": [{"weight": 20, "for": "10m"}, {"pause": "manual"}, {"weight": 50, "for": "10m"}]}, **settings)]}
