"""A Debian that runs: systemd as process 1 of a root of its own, in a network of its own that this process reaches by a cable."""
import os
import subprocess

from .network import Network
from .process import Child
from .scale import patience
from .wait import wait_for


def _children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(child) for child in f.read().split()]


class Machine:
    """Boots `root`. Its address is `address`; commands are run inside by nsenter, in the environment of a login as root."""

    def __init__(self, root, directory, name="machine"):
        self.network = Network()
        self.address = self.network.there
        self.root = root
        try:
            subprocess.run(["ip", "-n", self.network.name, "link", "set", "lo", "up"], check=True, timeout=20)
            argv = root.argv(options=["--network-namespace-path=/run/netns/" + self.network.name], network=True)
            self.child = Child(argv, directory, name)
            self.first = wait_for(self._first, patience(30))
            wait_for(self._booted, patience(60))
        except BaseException:
            self.close()
            raise

    def _first(self):
        """The pid of its process 1, as this machine sees it."""
        assert self.child.running(), self.child.stdout() + self.child.stderr()
        for pid in _children(self.child.pid):
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
                ids = next(line for line in f if line.startswith("NSpid:")).split()
            if ids[-1] == "1" and len(ids) > 2:
                return pid
        return None

    def _booted(self):
        return self.run("systemctl", "is-system-running", check=False).stdout.strip() in ("running", "degraded")

    def argv(self, *command):
        return ["nsenter", "--target", str(self.first), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd",
                "--", "env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8",
                "DEBIAN_FRONTEND=noninteractive", *command]

    def run(self, *command, check=True, timeout=60, **settings):
        done = subprocess.run(self.argv(*command), capture_output=True, text=True, check=False, timeout=patience(timeout), **settings)
        assert done.returncode == 0 or not check, f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def sh(self, script, **settings):
        return self.run("sh", "-c", script, **settings).stdout

    def show(self, unit, *properties):
        """What systemd says of a unit: {property: text}."""
        said = self.run("systemctl", "show", *("--property=" + p for p in properties), unit).stdout
        return dict(line.split("=", 1) for line in said.splitlines() if "=" in line)

    def close(self):
        """Ends it as a cut of its power does: its process 1 takes all others with it. The kernel keeps that one until each of them is
        reaped, also who came by `argv` and whose parent outside is gone; nobody need wait for that."""
        child = getattr(self, "child", None)
        if child and child.running():
            for pid in _children(child.pid):
                os.kill(pid, 9)
            try:
                child.wait(10)
            except AssertionError:
                child.kill()
        self.network.close()
