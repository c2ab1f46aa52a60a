"""docker/compose.yaml without an engine: each service in a container (harness/container.py) with an address of its own, which the others
find by the service's name. Images of others are this machine's programs, by the same arguments."""
import os

import yaml

from .container import PROJECT, Container, Image
from .lan import Lan

FILE = os.path.join(PROJECT, "docker", "compose.yaml")


def compose(path=FILE):
    with open(path, encoding="utf-8") as f:
        return yaml.safe_load(f)


class Machine:
    """An "image" that is this machine's /usr, with an /etc that is empty but for what is mounted there."""

    def __init__(self, folder, program, user):
        self.root = str(folder)
        for name in ("usr", "etc/ssl", "proc", "dev", "tmp"):
            os.makedirs(os.path.join(self.root, name))
        for name in ("bin", "lib", "lib64", "sbin"):
            os.symlink("usr/" + name, os.path.join(self.root, name))
        self.user = self.group = user
        self.env, self.folder, self.volumes, self.health = {"PATH": "/usr/bin"}, "/tmp", [], None
        self.entrypoint, self.command, self.mounts = program, [], {"/usr": "/usr"}
        for folder_, _folders, _files in os.walk(self.root):
            os.chmod(folder_, 0o755)


class Stack:
    """`images` are {name in the file, without its version: Image or Machine}; `left_out` are services that do not run here. Everything
    is started in the order of depends_on."""

    def __init__(self, directory, images, left_out=()):
        self.directory, self.images = str(directory), images
        self.services = {name: one for name, one in compose()["services"].items() if name not in left_out}
        self.lan, self.running = Lan(), {}
        try:
            self.nodes = {name: self.lan.node() for name, one in self.services.items() if "network_mode" not in one}
            for name in self.services:
                self._start(name)
        except BaseException:
            self.close()
            raise

    def address(self, name):
        return self.nodes[name].address

    def _start(self, name):
        if name in self.running:
            return
        service = self.services[name]
        needs = service.get("depends_on", {})
        for other in needs:
            self._start(other)
            if isinstance(needs, dict) and needs[other]["condition"] == "service_healthy":
                self.running[other].wait_healthy()
        image = self.images[service["image"].split(":")[0]]
        network = service.get("network_mode", "service:" + name)
        kind, whose = network.split(":")
        assert kind == "service"
        mounts, writable = dict(getattr(image, "mounts", {})), {}
        for volume in service.get("volumes", ()):
            source, inside, *mode = volume.split(":")
            if source.startswith("."):
                assert mode == ["ro"], f"{name}: {volume} could change the source"
                mounts[inside] = os.path.normpath(os.path.join(os.path.dirname(FILE), source))
                assert os.path.isdir(mounts[inside]), f"{name}: there is no {source}"
            else:
                writable[inside] = self._volume(source, inside, image)
        command = [str(word) for word in service.get("command", ())]
        self.running[name] = Container(image, self.directory, name, *command, mounts=mounts, writable=writable,
                                       env=service.get("environment"), network=self.nodes[whose].name,
                                       hosts={other: node.address for other, node in self.nodes.items()})

    def _volume(self, name, inside, image):
        """A named one: `volumes` of the file has it."""
        assert name in compose()["volumes"], name
        folder = os.path.join(self.directory, "named-" + name)
        if not os.path.isdir(folder):
            os.makedirs(folder)
            there = image.root + inside
            mode = os.stat(there).st_mode & 0o777 if isinstance(image, Image) else 0o755
            os.chmod(folder, mode)
            os.chown(folder, image.user, image.group)
        return folder

    def close(self):
        """The exit codes, by service. Who asks for an `init`, a process 1 that ends by TERM, has none here."""
        codes = {name: one.stop(signal="KILL" if self.services[name].get("init") else "TERM") for name, one in reversed(self.running.items())}
        self.lan.close()
        return codes
