"""A network of its own, whose cable can be pulled: sockets made in it reach the machine over a pair of virtual devices.
Needs root; `networks_are_allowed()` says whether that is given."""
import ctypes
import os
import socket
import subprocess
import threading
import uuid

_LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


def _ip(*arguments):
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False, timeout=20)


def networks_are_allowed():
    name = "slc-probe-" + uuid.uuid4().hex[:6]
    try:
        made = _ip("netns", "add", name).returncode == 0
    except FileNotFoundError:
        return False
    if made:
        _ip("netns", "delete", name)
    return made


class Network:
    """`here` is the machine's address on the cable, `there` that of the network's other end."""

    def __init__(self):
        tag = uuid.uuid4().hex[:8]
        self.name, self.device, self.far = "slc-" + tag, "sl" + tag + "a", "sl" + tag + "b"
        subnet = f"10.{200 + int(tag[:2], 16) % 50}.{int(tag[2:4], 16)}"
        self.here, self.there = subnet + ".1", subnet + ".2"
        for arguments in (("netns", "add", self.name), ("link", "add", self.device, "type", "veth", "peer", "name", self.far),
                          ("link", "set", self.far, "netns", self.name), ("addr", "add", self.here + "/24", "dev", self.device),
                          ("link", "set", self.device, "up"),
                          ("-n", self.name, "addr", "add", self.there + "/24", "dev", self.far),
                          ("-n", self.name, "link", "set", self.far, "up")):
            done = _ip(*arguments)
            assert done.returncode == 0, (arguments, done.stderr)

    def socket(self):
        """A TCP socket that belongs to the network."""
        made = []

        def make():
            handle = os.open("/run/netns/" + self.name, os.O_RDONLY)
            try:
                if _LIBC.setns(handle, CLONE_NEWNET) == 0:
                    made.append(socket.socket())
            finally:
                os.close(handle)
        thread = threading.Thread(target=make)  # it alone goes there
        thread.start()
        thread.join()
        made[0].settimeout(20)
        return made[0]

    def pull(self):
        """From now on nothing is answered, and neither side is told: whoever was there has no address any more. (A device
        that is down would be known here, and the kernel does not count a probe that it could not send.)"""
        assert _ip("-n", self.name, "addr", "del", self.there + "/24", "dev", self.far).returncode == 0

    def close(self):
        _ip("link", "delete", self.device)
        _ip("netns", "delete", self.name)
