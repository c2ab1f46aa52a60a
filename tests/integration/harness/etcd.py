"""A real etcd on loopback, of one member or of several, for a fleet."""
import base64
import contextlib
import json
import os
import shutil
import signal
import socket
import threading
import urllib.error
import urllib.request

from .load import free_port
from .process import Child
from .scale import patience
from .wait import wait_for

PROGRAM = shutil.which("etcd")


class Member:
    def __init__(self, folder, name, node=None, options=()):
        self.folder, self.name, self.node, self.options = os.path.join(folder, name), name, node, options  # of harness.lan, or the machine's loopback
        self.host, self.client, self.peer = (node.address, 2379, 2380) if node else ("127.0.0.1", free_port(), free_port())
        self.url, self.peer_url = f"http://{self.host}:{self.client}", f"http://{self.host}:{self.peer}"
        self.child, self.starts = None, 0

    def start(self, cluster):
        self.starts += 1
        self.child = Child([*(self.node.prefix if self.node else ()), PROGRAM, "--name", self.name, "--data-dir", self.folder, "--listen-client-urls", self.url,
                            "--advertise-client-urls", self.url, "--listen-peer-urls", self.peer_url,
                            "--initial-advertise-peer-urls", self.peer_url, "--initial-cluster", cluster, "--heartbeat-interval", "50",
                            "--election-timeout", "500", *self.options], os.path.dirname(self.folder), f"{self.name}-{self.starts}")

    def healthy(self):
        try:
            with urllib.request.urlopen(self.url + "/health", timeout=2) as answer:
                return json.load(answer)["health"] == "true"
        except (OSError, urllib.error.URLError, ValueError):
            return False

    def leads(self):
        return b"etcd_server_is_leader 1" in urllib.request.urlopen(self.url + "/metrics", timeout=5).read()


class Etcd:
    def __init__(self, folder, members=1, nodes=None, options=()):
        self.members = [Member(str(folder), f"etcd{n}", node, options) for n, node in enumerate(nodes or [None] * members)]
        for member in self.members:
            self.run(member)
        wait_for(lambda: all(m.healthy() for m in self.members), patience(30), "etcd is healthy")

    @property
    def urls(self):
        return [member.url for member in self.members]

    def run(self, member):
        member.start(",".join(f"{m.name}={m.peer_url}" for m in self.members))

    def post(self, path, **fields):
        """The first member that answers."""
        return self.post_to(path, **fields)[1]

    def post_to(self, path, **fields):
        """… and which one it was."""
        error = None
        for member in [m for m in self.members if m.child.running()]:
            body = urllib.request.Request(member.url + path, json.dumps(fields).encode(), {"Content-Type": "application/json"})
            try:
                with urllib.request.urlopen(body, timeout=5) as answer:
                    return member.url, json.load(answer)
            except OSError as failed:
                error = failed
        raise error

    def get(self, key):
        """A JSON value."""
        pairs = self.post("/v3/kv/range", key=base64.b64encode(key.encode()).decode()).get("kvs")
        return json.loads(base64.b64decode(pairs[0]["value"])) if pairs else None

    def put(self, key, value):
        """The URL of who took it, and the revision."""
        encoded = [base64.b64encode(text.encode()).decode() for text in (key, json.dumps(value))]
        url, told = self.post_to("/v3/kv/put", key=encoded[0], value=encoded[1])
        return url, int(told["header"]["revision"])

    def revision(self):
        return int(self.post("/v3/kv/range", key=base64.b64encode(b"x").decode())["header"]["revision"])

    def lock(self, reader):
        """Authentication on: `root`, and a user who may read everything and write nothing; the password is `secret`."""
        for user in ("root", reader):
            self.post("/v3/auth/user/add", name=user, password="secret")
            self.post("/v3/auth/role/add", name=user)
            self.post("/v3/auth/user/grant", user=user, role=user)
        everything = base64.b64encode(b"\0").decode()
        self.post("/v3/auth/role/grant", name=reader, perm={"permType": "READ", "key": everything, "range_end": everything})
        self.post("/v3/auth/enable")

    def leader(self):
        return next(m for m in self.members if m.child.running() and m.leads())

    def count(self, method):
        """Calls of that kind that were answered."""
        with urllib.request.urlopen(self.urls[0] + "/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines
                   if line.startswith("grpc_server_handled_total") and f'grpc_method="{method}"' in line)

    def kill(self, member):
        """As a loss of power does it."""
        member.child.kill()

    def again(self, member):
        self.run(member)
        wait_for(member.healthy, patience(30), "etcd is healthy again")

    def hang(self, member, hanging=True):
        member.child.signal(signal.SIGSTOP if hanging else signal.SIGCONT)

    def stop(self):
        for member in self.members:
            if member.child.running():
                member.child.signal(signal.SIGCONT)
                member.child.kill()


class Relay:
    """What stands between a proxy and etcd: passes everything on, but what watches bring only while it is not held."""

    def __init__(self, port):
        self.port, self.free = port, threading.Event()
        self.free.set()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self, holding=True):
        (self.free.clear if holding else self.free.set)()

    def forget(self):
        """What the watches that are open now would bring never comes; those that are opened from now on are passed."""
        self.free.clear()
        self.free = threading.Event()
        self.free.set()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client = self.listening.accept()[0]
                server = socket.create_connection(("127.0.0.1", self.port))
                watches = threading.Event()
                for ends in ((client, server, watches, False), (server, client, watches, True)):
                    threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source, target, watches, back):
        free = self.free
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if not back and b"/v3/watch" in data:
                    watches.set()
                if back and watches.is_set():
                    free.wait()
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def stop(self):
        self.hold(False)
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()


def unreachable():
    """A port on which nobody listens, as long as the socket is held."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    return held, f"http://127.0.0.1:{held.getsockname()[1]}"
