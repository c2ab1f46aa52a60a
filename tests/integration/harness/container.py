"""The image without an engine: its root as docker/rootfs.sh makes it, its settings as the Dockerfile has them, run by runc, which is
what engines run containers with. Root only."""
import json
import os
import shutil
import subprocess
import uuid

from test_clients import HERE, MODULES
from .process import Child
from .scale import BINARY, patience
from .wait import wait_for

PROJECT = os.path.abspath(os.path.join(HERE, "..", ".."))
DOCKERFILE = os.path.join(PROJECT, "docker", "Dockerfile")
NAMESPACES = ("pid", "ipc", "uts", "mount", "network")
# What an engine gives besides: devices of memory, and a /proc that tells nothing of the machine.
MASKED = ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/sys/firmware"]


def dockerfile(path=DOCKERFILE):
    """{"problems": [text], "instructions": [{"keyword", "flags", "text"}]}"""
    done = subprocess.run(["node", os.path.join(HERE, "npm", "dockerfile.mjs"), path], capture_output=True, text=True, check=True,
                          timeout=patience(20), env=dict(os.environ, NPM_MODULES=os.path.abspath(MODULES)))
    return json.loads(done.stdout)


def stages(instructions):
    """Its instructions, stage by stage, without what comes before the first."""
    split = []
    for one in instructions:
        if one["keyword"] == "FROM":
            split.append([])
        if split:
            split[-1].append(one)
    return split


class Image:
    """`root` is its root; the rest is the last stage of the Dockerfile."""

    def __init__(self, folder, binary=BINARY):
        self.root = str(folder)
        done = subprocess.run(["sh", os.path.join(PROJECT, "docker", "rootfs.sh"), self.root, binary], capture_output=True, text=True,
                              check=False, timeout=patience(60))
        assert done.returncode == 0 and not done.stderr, done.stdout + done.stderr
        last = stages(dockerfile()["instructions"])[-1]

        def said(keyword):
            return [one["text"] for one in last if one["keyword"] == keyword]
        self.user, self.group = map(int, said("USER")[-1].split(":"))
        self.env = dict(pair.split("=", 1) for pair in said("ENV"))
        self.folder = said("WORKDIR")[-1]
        self.volumes = json.loads(said("VOLUME")[-1])
        self.entrypoint, self.command = json.loads(said("ENTRYPOINT")[-1]), json.loads(said("CMD")[-1])
        self.health = json.loads(said("HEALTHCHECK")[-1].removeprefix("CMD "))


class Container:
    """One process of `image` in a container, with a read-only root, no capability and no new privileges. (runc makes
    the places where it mounts, in the image's folder.) Volumes of the image are
    folders of `directory` that stay; `mounts` are {path inside: path here}, read-only, `writable` the others; `tmpfs` is memory, as in an engine's option.
    `network` is the name of a network namespace, else there is one with loopback only."""

    def __init__(self, image, directory, name, *command, mounts=(), writable=(), tmpfs=(), env=None, network=None, hosts=None, entrypoint=None):
        self.image, self.name, self.directory = image, f"{name}-{uuid.uuid4().hex[:6]}", str(directory)
        self.bundle = os.path.join(self.directory, self.name)
        os.makedirs(self.bundle)
        self.state = os.path.join(self.directory, "runc")
        mounts = dict(mounts)
        if hosts:
            mounts["/etc/hosts"] = os.path.join(self.bundle, "hosts")
            with open(mounts["/etc/hosts"], "w", encoding="ascii") as f:
                os.fchmod(f.fileno(), 0o644)
                f.writelines(f"{address} {host}\n" for host, address in {"localhost": "127.0.0.1", **hosts}.items())
        binds = [(inside, str(here), "ro") for inside, here in mounts.items()]
        binds += [(inside, str(here), "rw") for inside, here in dict(writable).items()]
        binds += [(path, self._volume(path), "rw") for path in image.volumes if path not in dict(writable)]
        argv = [*(entrypoint or image.entrypoint), *(command or image.command)]
        config = self._config(argv, binds, tmpfs, dict(image.env, **(env or {})), network)
        with open(os.path.join(self.bundle, "config.json"), "w", encoding="utf-8") as f:
            json.dump(config, f)
        self.child = Child(self._runc("run", "--bundle", self.bundle, self.name), self.directory, self.name)

    def _runc(self, *arguments):
        return ["sh", "-c", 'umask 022; exec runc "$@"', "sh", "--root", self.state, *arguments]  # an engine's umask

    def _volume(self, path):
        """What an engine does: a new volume begins with what the image has there, and its owner."""
        there = os.path.join(self.directory, "volume" + path.replace("/", "-"))
        if not os.path.isdir(there):
            inside = os.stat(self.image.root + path)
            shutil.copytree(self.image.root + path, there)
            os.chown(there, inside.st_uid, inside.st_gid)
        return there

    def _config(self, argv, binds, tmpfs, env, network):
        image = self.image
        return {
            "ociVersion": "1.0.2", "hostname": "sluice", "root": {"path": image.root, "readonly": True},
            "process": {"user": {"uid": image.user, "gid": image.group}, "args": argv, "cwd": image.folder, "noNewPrivileges": True,
                        "env": [f"{key}={value}" for key, value in env.items()],
                        "capabilities": {kind: [] for kind in ("bounding", "effective", "inheritable", "permitted", "ambient")}},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"]},
                       {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755", "size=65536k"]},
                       *({"destination": path, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "mode=1777"]} for path in tmpfs),
                       *({"destination": inside, "type": "bind", "source": here, "options": ["bind", mode]} for inside, here, mode in binds)],
            "linux": {"maskedPaths": MASKED, "namespaces": [
                {"type": kind, **({"path": "/run/netns/" + network} if kind == "network" and network else {})} for kind in NAMESPACES]}}

    def exec(self, *argv, env=None, timeout=20):
        """A command inside, as the image's user."""
        extra = [option for pair in (env or {}).items() for option in ("--env", "=".join(pair))]
        return subprocess.run(self._runc("exec", *extra, self.name, *argv), capture_output=True, text=True, check=False,
                              timeout=patience(timeout))

    def healthy(self):
        return self.exec(*self.image.health).returncode == 0

    def wait_healthy(self, seconds=15):
        def healthy():
            assert self.child.running(), f"ended with {self.child.wait(1)}:\n{self.child.stdout()}{self.child.stderr()}"
            return self.healthy()
        wait_for(healthy, patience(seconds), f"{self.name} is healthy")

    def told(self, signal):
        return subprocess.run(self._runc("kill", self.name, signal), capture_output=True, check=False, timeout=patience(10)).returncode == 0

    def signal(self, name):
        assert self.told(name), f"{self.name} does not run"

    def stop(self, timeout=20, signal="TERM"):
        """TERM to process 1, as `docker stop`; its exit code. Nothing is left of it but its volumes."""
        # It may be that it has not begun yet, or that it ends just now.
        wait_for(lambda: not self.child.running() or self.told(signal), patience(10), f"{self.name} can be told to end")
        try:
            code = self.child.wait(timeout)
        except AssertionError:
            self.signal("KILL")
            self.child.wait(10)
            raise
        finally:
            subprocess.run(self._runc("delete", "--force", self.name), capture_output=True, check=False, timeout=patience(20))
        return code
