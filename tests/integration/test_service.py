"""What a service manager gives and is told: sockets that it has opened, and READY, RELOADING, STOPPING, WATCHDOG."""
import contextlib
import os
import signal
import socket
import stat
import sys

import pytest

from harness.client import Client
from harness.load import Loop
from harness.scale import patience
from harness.sluice import pool, route
from harness.successor import serving, upgrade
from harness.wait import wait_for

# Puts the sockets that this process passes where sd_listen_fds(3) says, and becomes the daemon.
LAUNCHER = """
import os, sys
count, names = int(sys.argv[1]), sys.argv[2]
passed = [int(fd) for fd in os.environ.pop("PASSED").split()]
for i, fd in enumerate([os.dup2(fd, 100 + i) for i, fd in enumerate(passed)]):
    os.dup2(fd, 3 + i)
os.closerange(3 + len(passed), 200)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count), LISTEN_FDNAMES=names)
os.execv(sys.argv[3], sys.argv[3:])
"""


pytestmark = pytest.mark.usefixtures("orphans")


def listening(address, family=socket.AF_INET):
    made = socket.socket(family)
    if family == socket.AF_INET:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(address)
    made.listen(100)
    return made


@pytest.fixture
def activate(start_sluice, upstream):
    """activate([socket, …], config) -> daemon, started with these sockets."""
    server = upstream("up")

    def start(sockets, **config):
        for made in sockets:
            os.set_inheritable(made.fileno(), True)
        daemon = start_sluice({"pools": {"stable": pool(server)}, "routes": [route()], **config}, close_fds=False,
                              env={"PASSED": " ".join(str(s.fileno()) for s in sockets)},
                              argv_prefix=[sys.executable, "-c", LAUNCHER, len(sockets), ":".join("abcdef"[:len(sockets)])])
        for made in sockets:
            os.set_inheritable(made.fileno(), False)
        return daemon
    return start


def test_listeners_use_the_sockets_that_are_there(activate, folder):
    """Every worker accepts from the one socket; the file is the service manager's, and so is what waits at the end."""
    path, admin = f"{folder}/http.sock", f"{folder}/admin.sock"
    with contextlib.ExitStack() as stack:
        tcp = stack.enter_context(listening(("127.0.0.1", 0)))
        unix, control = (stack.enter_context(listening(p, socket.AF_UNIX)) for p in (path, admin))
        os.chmod(path, 0o604)
        address = "127.0.0.1:%d" % tcp.getsockname()[1]
        early = Client(tcp.getsockname())  # before the daemon is there
        early.request()
        daemon = activate([tcp, unix, control], workers=4, admin={"address": f"unix:{admin}"},
                          listeners=[{"address": address}, {"address": f"unix:{path}"}])
        assert early.response().status == 200
        early.close()
        for _ in range(2):
            for where in (tcp.getsockname(), path):
                clients = [Client(where) for _ in range(40)]
                for client in clients:
                    client.request()
                assert {client.response().status for client in clients} == {200}
                for client in clients:
                    client.close()
            loop = Loop(tcp.getsockname(), 2)
            wait_for(lambda load=loop: load.total > 50, patience(10))
            assert upgrade(daemon).wait() == 0
            wait_for(lambda load=loop, n=loop.total: load.total > n + 50, patience(10))
            assert not loop.stop().failures and set(loop.statuses) == {200}
        assert stat.S_IMODE(os.lstat(path).st_mode) == 0o604
        assert daemon.stop() == 0
        assert os.path.exists(path) and os.path.exists(admin)
        late = Client(tcp.getsockname())  # it waits for the next daemon
        late.request()
        daemon.env["PASSED"] = " ".join(str(s.fileno()) for s in (tcp, unix, control))
        for made in (tcp, unix, control):
            os.set_inheritable(made.fileno(), True)
        daemon.start()
        assert late.response().status == 200
        late.close()
        assert daemon.stop() == 0


def test_several_sockets_of_one_address_are_all_used(activate):
    with contextlib.ExitStack() as stack:
        sockets = []
        for _ in range(3):
            made = stack.enter_context(socket.socket())
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            made.bind(sockets[0].getsockname() if sockets else ("127.0.0.1", 0))
            made.listen(100)
            sockets.append(made)
        where = sockets[0].getsockname()
        daemon = activate(sockets, workers=2, listeners=[{"address": "127.0.0.1:%d" % where[1]}])
        clients = [Client(where) for _ in range(60)]
        for client in clients:
            client.request()
        assert {client.response().status for client in clients} == {200}
        for client in clients:
            client.close()
        assert "named by no listener" not in daemon.stderr()


def test_what_cannot_be_used_is_named(activate):
    with listening(("127.0.0.1", 0)) as other, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.bind(("127.0.0.1", 0))
        daemon = activate([other, datagrams], listeners=[{"address": "127.0.0.1:0"}])
        assert "cannot be used fd=4 name=b" in daemon.stderr()
        wait_for(lambda: "named by no listener and is closed address=127.0.0.1:%d" % other.getsockname()[1] in daemon.stderr())
        assert daemon.ask().status == 200


# -- sd_notify ---------------------------------------------------------------------------------------------------------

class Manager:
    def __init__(self, address):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(address)
        self.socket.settimeout(0.02)
        self.heard = []  # a dictionary for each message

    def listen(self):
        with contextlib.suppress(TimeoutError):
            while True:
                lines = self.socket.recv(65536).decode().splitlines()
                self.heard.append(dict(line.split("=", 1) for line in lines))
        return self.heard

    def said(self, name, value=None, times=1):
        """Waits until that was said so often; the last message with it."""
        def found():
            messages = [m for m in self.listen() if name in m and value in (None, m[name])]
            return messages[-1] if len(messages) >= times else None
        return wait_for(found, patience(10), f"{name}={value or ''} is said")


@pytest.fixture(params=["file", "abstract"])
def manager(request, folder):
    name = f"{folder}/notify"
    made = Manager("\0" + name if request.param == "abstract" else name)
    made.name = "@" + name if request.param == "abstract" else name
    yield made
    made.socket.close()


def test_the_manager_is_told(start_sluice, upstream, manager):
    server = upstream()
    config = {"pools": {"stable": pool(server)}, "routes": [route()]}
    daemon = start_sluice(config, env={"NOTIFY_SOCKET": manager.name})
    assert manager.said("READY", "1")["STATUS"] == "serving"
    assert daemon.reload(config).status == 200
    assert int(manager.said("RELOADING", "1")["MONOTONIC_USEC"]) > 0
    manager.said("READY", "1", times=2)
    assert daemon.reload({**config, "routes": []}).status == 422
    assert "failed" in manager.said("READY", "1", times=3)["STATUS"]
    daemon.config["routes"] = config["routes"]
    daemon.write()
    old = upgrade(daemon)
    assert int(manager.said("MAINPID")["MAINPID"]) == daemon.pid != old.pid
    assert "upgrade" in manager.said("READY", "1", times=4)["STATUS"]
    order = [key for message in manager.heard for key in message if key in ("MAINPID", "READY", "STOPPING", "RELOADING")]
    assert order == ["READY", "RELOADING", "READY", "RELOADING", "READY", "RELOADING", "MAINPID", "READY"]
    assert old.wait() == 0
    assert daemon.stop() == 0
    manager.said("STOPPING", "1", times=1)


def test_the_watchdog_hears_as_long_as_every_worker_answers(start_sluice, upstream, manager):
    daemon = start_sluice({"pools": {"stable": pool(upstream())}, "routes": [route()]},
                          env={"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "60000"})
    manager.said("WATCHDOG", "1", times=5)
    assert upgrade(daemon).wait() == 0
    manager.listen()
    manager.heard.clear()
    manager.said("WATCHDOG", "1", times=5)
    assert len(serving(daemon)) == 1


def test_a_failed_upgrade_is_told(start_sluice, upstream, manager):
    daemon = start_sluice({"pools": {"stable": pool(upstream())}, "routes": [route()]}, env={"NOTIFY_SOCKET": manager.name})
    daemon.write("bogus: 1\n")
    daemon.child.signal(signal.SIGUSR2)
    assert "upgrade failed" in manager.said("READY", "1", times=2)["STATUS"]
    assert not [m for m in manager.heard if "MAINPID" in m]
    daemon.write()
