"""A network of nodes, each with an address of its own, of which any two can be cut off from each other, in one direction or both:
who sends writes the address of nobody on the frame, and neither side is told. Needs root (networks_are_allowed)."""
import subprocess
import uuid

from .network import networks_are_allowed  # pylint: disable=unused-import

NOBODY = "02:00:00:00:00:99"


def _ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, (arguments, done.stderr)


class Node:
    def __init__(self, lan, number):
        self.lan, self.name = lan, f"{lan.tag}-{number}"
        self.device, self.far = f"{lan.tag}{number}a", f"{lan.tag}{number}b"
        self.address = f"{lan.subnet}.{number + 2}"
        self.prefix = ["nsenter", "--net=/run/netns/" + self.name]  # of a command that is to run there
        self.cut_from = set()
        for arguments in (("netns", "add", self.name), ("link", "add", self.device, "type", "veth", "peer", "name", self.far),
                          ("link", "set", self.far, "netns", self.name), ("link", "set", self.device, "master", lan.bridge, "up"),
                          ("-n", self.name, "addr", "add", self.address + "/24", "dev", self.far),
                          ("-n", self.name, "link", "set", self.far, "up"), ("-n", self.name, "link", "set", "lo", "up")):
            _ip(*arguments)

    def mute(self, other):
        """What this one sends to the other is lost."""
        _ip("-n", self.name, "neigh", "replace", other.address, "lladdr", NOBODY, "nud", "permanent", "dev", self.far)
        self.cut_from.add(other)

    def heal(self):
        for other in self.cut_from:
            _ip("-n", self.name, "neigh", "del", other.address, "dev", self.far)
        self.cut_from.clear()


class Lan:
    """`here` is the machine's address in it; that one is never cut off."""

    def __init__(self):
        self.tag = "sl" + uuid.uuid4().hex[:6]
        self.subnet = f"10.{150 + int(self.tag[2:4], 16) % 50}.{int(self.tag[4:6], 16)}"
        self.bridge, self.here = self.tag + "br", self.subnet + ".1"
        self.nodes = []
        # An address of its own: else a bridge takes the lowest of its devices', and with a new node the others may send to the old one
        # for seconds, until they ask again.
        _ip("link", "add", self.bridge, "address", "02:00:00:00:00:01", "type", "bridge")
        _ip("addr", "add", self.here + "/24", "dev", self.bridge)
        _ip("link", "set", self.bridge, "up")

    def node(self):
        self.nodes.append(Node(self, len(self.nodes)))
        return self.nodes[-1]

    def cut(self, some, others):
        """Nothing gets from any of the ones to any of the others, nor back."""
        for one in some:
            for other in others:
                one.mute(other)
                other.mute(one)

    def heal(self):
        for node in self.nodes:
            node.heal()

    def close(self):
        for node in self.nodes:
            subprocess.run(["ip", "netns", "delete", node.name], capture_output=True, check=False, timeout=20)
        subprocess.run(["ip", "link", "delete", self.bridge], capture_output=True, check=False, timeout=20)
