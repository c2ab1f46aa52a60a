"""The converted examples of docs/howto/from-*.md: another proxy's file and ours, as the page has them, with ports of the test."""
import os
import pwd
import re
import socket
import subprocess

import yaml

from . import haproxy, nginx
from .client import Client
from .load import free_port
from .process import Child
from .scale import patience
from .wait import wait_for
from .walk import ROOT


def fences(page):
    """(kind, text) of every fence of a page, those in lists too."""
    with open(os.path.join(ROOT, "docs", "howto", page), encoding="utf-8") as f:
        found = re.findall(r"^( *)```(\S+)\n(.*?)^ *```$", f.read(), re.M | re.S)
    return [(kind, re.sub(rf"^{indent}", "", text, flags=re.M)) for indent, kind, text in found]


def examples(page, kind):
    """The pairs: their file and ours, which follows it."""
    all_of = fences(page)
    return [(text, after[1]) for (what, text), after in zip(all_of, all_of[1:]) if what == kind and after[0] == "yaml"]


def last(page, kind):
    return [text for what, text in fences(page) if what == kind][-1]


class _Loader(yaml.SafeLoader):
    """As YAML 1.2: `on` is a word."""


_Loader.yaml_implicit_resolvers = {first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":bool")]
                                   for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()}
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"true|false"), list("tf"))


def load(text):
    return yaml.load(text, Loader=_Loader)


def ported(text, ports):
    """The text with the test's ports in place of the page's."""
    for written, real in ports.items():
        text, count = re.subn(rf"\b127\.0\.0\.1:{written}\b", f"127.0.0.1:{real}", text)
        assert count or written in ports.get("optional", ()), f"the example has no port {written}"
    return text


def ours(text, **ports):
    """Our file as start_sluice takes it; the port of the listener is the kernel's."""
    real = {name.removeprefix("p"): port for name, port in ports.items()}
    for written in re.findall(r"127\.0\.0\.1:(\d+)", text):
        assert written in real or written == "8081", f"the test knows no port {written}"
    return load(ported(text, {**{written: real[written] for written in real if f":{written}" in text}, "8081": 0}))


class Old:
    """What is moved away from: a file with port 8080 on which it listens. `checked` is what its own check says of it."""

    def __init__(self, directory, text, ports):
        self.directory, self.ports = str(directory), {name.removeprefix("p"): port for name, port in ports.items()}
        self.address = ("127.0.0.1", free_port())
        self.number = 0
        self.child, self.children = None, []
        self.begin(text)

    def write(self, text):
        self.number += 1
        path = os.path.join(self.directory, f"{type(self).__name__.lower()}{self.number}.conf")
        real = {written: port for written, port in self.ports.items() if f":{written}" in text}
        text = self.complete(ported(text, {**real, "8080": self.address[1]}))
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        done = subprocess.run(self.check(path), capture_output=True, text=True, timeout=patience(20), check=False)
        said = done.stdout + done.stderr
        assert done.returncode == 0 and "warn" not in said.lower(), f"{said}\n{text}"
        return path

    def answers(self):
        assert self.child.running(), self.child.stderr()
        with socket.socket() as sock:
            return sock.connect_ex(self.address) == 0

    def begin(self, text):
        self.start(self.run(self.write(text)))
        wait_for(self.answers, patience(10), "the old proxy listens")

    def start(self, argv):
        self.child = Child(argv, self.directory, f"old{self.number}")
        self.children.append(self.child)

    def restart(self, text):
        self.child.terminate()
        self.begin(text)

    def stop(self):
        for child in self.children:
            try:
                child.terminate()  # before it is killed: workers of nginx would stay
            finally:
                child.kill()


class OldNginx(Old):
    def complete(self, text):
        folder = os.path.join(self.directory, "tmp")
        os.makedirs(folder, exist_ok=True)
        temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return text.replace("http {", f"http {{ access_log off; {temporary}", 1)

    def _argv(self, path):
        user = f"user {pwd.getpwuid(0).pw_name}; " if os.geteuid() == 0 else ""
        return [nginx.BINARY, "-p", self.directory, "-c", path, "-e", f"{self.directory}/nginx.log", "-g", f"{user}pid {self.directory}/nginx.pid;"]

    def check(self, path):
        return [*self._argv(path), "-t"]

    def run(self, path):
        self.path = path
        argv = self._argv(path)
        return [*argv[:-1], argv[-1] + " daemon off; worker_processes 1;"]

    def reload(self, text):
        """The same file with other words, and -s reload."""
        path = self.write(text)
        os.replace(path, self.path)
        subprocess.run([*self._argv(self.path), "-s", "reload"], check=True, timeout=patience(20), capture_output=True)

    def quit(self):
        subprocess.run([*self._argv(self.path), "-s", "quit"], check=True, timeout=patience(20), capture_output=True)
        return self.child.wait(20)


class OldHaproxy(Old):
    def complete(self, text):
        # Where the page has no socket, the test needs one all the same, and to reload with.
        self.socket = os.path.join(self.directory, "h.sock")
        if "stats socket" not in text:
            text = f"global\n    stats socket {self.socket} level admin expose-fd listeners\n" + text
        return text.replace("/run/haproxy/admin.sock", self.socket)

    def check(self, path):
        return [haproxy.BINARY, "-c", "-f", path]

    def run(self, path):
        return [haproxy.BINARY, "-db", "-f", path]

    def tell(self, command):
        """A command at the runtime API; returns what it says."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(patience(10))
            sock.connect(self.socket)
            sock.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: sock.recv(4096), b"")).decode()

    def reload(self, text):
        """A new process with the listening sockets of the old one, which finishes what it has."""
        before = self.child
        self.start([*self.run(self.write(text)), "-x", self.socket, "-sf", before.pid])
        assert before.wait(20) == 0, before.stderr()

    def quit(self):
        import signal  # pylint: disable=import-outside-toplevel
        self.child.signal(signal.SIGUSR1)
        return self.child.wait(20)


def visits(address, requests):
    """The responses to requests with these headers, on one connection as long as it lasts."""
    client, found = None, []
    for headers in requests:
        client = client or Client(address)
        found.append(client.ask("GET", "/", headers))
        if (found[-1].header("Connection") or "").lower() == "close":
            client.close()
            client = None
    if client:
        client.close()
    return found


def by_user(address, users):
    """user → who answered."""
    return dict(zip(users, (response.text for response in visits(address, [[("X-User-Id", user)] for user in users]))))
