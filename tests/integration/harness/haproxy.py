"""HAProxy in front: as the balancer that speaks the PROXY protocol."""
import os
import shutil
import socket

from .load import free_port
from .process import Child
from .wait import wait_for

BINARY = shutil.which("haproxy") or ("/usr/sbin/haproxy" if os.path.exists("/usr/sbin/haproxy") else None)


class Haproxy:
    """Passes TCP connections on to `server` ("127.0.0.1:80 send-proxy-v2"); `bind` has options of the listening
    side, `extra` is a further line."""

    def __init__(self, directory, server, name="haproxy", mode="tcp", bind="", bound="127.0.0.1", extra=""):
        self.port = free_port()
        self.address = (bound, self.port)
        path = os.path.join(str(directory), name + ".cfg")
        shown = f"[{bound}]" if ":" in bound else bound
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"""global
    maxconn 1000
    nbthread 1
defaults
    mode {mode}
    timeout connect 5s
    timeout client 30s
    timeout server 30s
listen front
    bind {shown}:{self.port} {bind}
    {extra}
    server sluice {server}
""")
        self.child = Child([BINARY, "-db", "-f", path], str(directory), name)
        wait_for(self._answers, 10, "haproxy listens")

    def _answers(self):
        assert self.child.running(), self.child.stderr()
        with socket.socket(socket.AF_INET6 if ":" in self.address[0] else socket.AF_INET) as sock:
            return sock.connect_ex(self.address) == 0

    def stop(self):
        self.child.terminate()
