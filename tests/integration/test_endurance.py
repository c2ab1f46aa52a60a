"""Much at once, much in one piece, and peers that hold back: the bounds that hold then."""
import hashlib
import json
import os
import resource
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from harness.process import Child
from harness.scale import patience, sanitizer, scaled
from harness.sluice import pool, route
from harness.wait import wait_for

TOOLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools")
MIB = 1 << 20


@pytest.fixture(autouse=True)
def many_files():
    """The children of these tests may open as many files as the machine lets them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Watch(threading.Thread):
    """The most memory that the daemon holds while something goes on, over what it held before (KiB)."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.child, self.stopped, self.samples = daemon.child, threading.Event(), []
        self.before = daemon.child.rss_kib()
        self.start()

    def run(self):
        while not self.stopped.wait(0.02):
            self.samples.append(self.child.rss_kib())

    def grown(self):
        self.stopped.set()
        self.join()
        return max(self.samples, default=self.before) - self.before


# ---- 2 GiB through a peer that pauses

def start(start_sluice, server, **settings):
    daemon = start_sluice({"workers": 1, "limits": {"body_bytes": "4GiB"}, "pools": {"stable": pool(server)},
                           "routes": [route()], **settings})
    for _ in range(3):  # warm: what every request needs is there
        assert daemon.ask("POST", "/warm", body="x" * 100_000).status == 200
    return daemon


@pytest.mark.heavy
def test_a_large_upload_to_a_slow_upstream_takes_no_memory(start_sluice, upstream):
    size, block = scaled(2048, 64) * MIB, os.urandom(MIB)
    digest, got = hashlib.sha256(), [0]

    def slow(request, reply):
        for number, piece in enumerate(request.pieces):
            if request.path == "/big":
                digest.update(piece)
                got[0] += len(piece)
                if number % 4000 == 0:
                    time.sleep(0.2)  # the upstream holds back: nobody may collect meanwhile
        reply.send(200, "done")
    server = upstream("stable", slow)
    server.read_body = False
    daemon = start(start_sluice, server)
    watch, expected = Watch(daemon), hashlib.sha256()
    with daemon.client(timeout=120) as client:
        client.send(f"POST /big HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n")
        for _ in range(size // MIB):
            client.send(block)
            expected.update(block)
        assert client.response().text == "done"
    assert got[0] == size and digest.digest() == expected.digest()
    grown = watch.grown()
    if not sanitizer():
        assert grown < 2048, f"{grown} KiB"


@pytest.mark.heavy
def test_a_large_download_to_a_slow_client_takes_no_memory(start_sluice, upstream):
    size, block = scaled(2048, 64) * MIB, os.urandom(MIB)
    expected = hashlib.sha256()

    def big(request, reply):
        if request.path != "/big":
            reply.send(200, "warm")
            return
        reply.head(200, [("Content-Length", size)])
        for _ in range(size // MIB):
            expected.update(block)  # first: the client may have the last of it before this thread goes on
            reply.raw(block)
    daemon = start(start_sluice, upstream("stable", big))
    watch, digest, got = Watch(daemon), hashlib.sha256(), 0
    with daemon.client(timeout=120) as client:
        client.request("GET", "/big")
        for number, piece in enumerate(client.pieces(client.final_head())):
            digest.update(piece)
            got += len(piece)
            if number % 4000 == 0:
                time.sleep(0.2)
    assert got == size and digest.digest() == expected.digest()
    grown = watch.grown()
    if not sanitizer():
        assert grown < 2048, f"{grown} KiB"


def test_a_client_that_reads_nothing_takes_six_mebibytes_at_most(start_sluice, upstream):
    sent, stuck, over = [0], threading.Event(), threading.Event()

    def flood(request, reply):
        if request.path != "/flood":
            reply.send(200)
            return
        sock = reply._connection.socket  # pylint: disable=protected-access
        reply.head(200, [("Content-Length", 1 << 40)])
        sock.settimeout(patience(1.5))
        try:
            while True:
                sent[0] += sock.send(b"x" * 65536)
        except TimeoutError:
            stuck.set()
        over.wait(20)
        reply.close()
    daemon = start(start_sluice, upstream("stable", flood))
    watch = Watch(daemon)
    with daemon.client() as client:
        client.request("GET", "/flood")
        assert stuck.wait(patience(20))
        over.set()
    assert sent[0] <= 6 * MIB, sent[0]
    grown = watch.grown()
    assert sanitizer() or grown < 1024, f"{grown} KiB"


# ---- who goes away, and who only has nothing more to say

def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.alone
@pytest.mark.parametrize("where", ["first byte", "stream", "body", "connect", "queue"])
def test_a_reset_cancels_the_upstream_within_a_tenth_of_a_second(start_sluice, upstream, where):
    noticed, begun = [], threading.Event()

    def handler(request, reply):
        if request.path == "/hold":
            begun.set()
            reply.hang(30)
        if where == "stream":
            reply.begin_sse()
            reply.event("x")
        begun.set()
        try:
            if where == "body":
                for _ in request.pieces:
                    pass
            else:
                reply.wait_closed(30)
        finally:
            noticed.append(time.monotonic())
        reply.close()
    server = upstream("stable", handler)
    server.read_body = False
    settings = {"max_inflight": 1} if where == "queue" else {}
    listener = socket.socket()
    if where == "connect":  # nobody accepts: the queue of connections is full
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        held = [socket.socket() for _ in range(8)]
        for sock in held:
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        daemon = start_sluice({"workers": 1, "timeouts": {"connect": "20s"}, "routes": [route()], "pools": {
            "stable": {"endpoints": ["http://127.0.0.1:%d" % listener.getsockname()[1]]}}})
    else:
        daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server, **settings)}, "routes": [route()]})

    def inflight():
        return daemon.metrics().sum("sluice_endpoint_inflight")
    first = daemon.client()
    if where == "queue":
        first.request("GET", "/hold")
        assert begun.wait(patience(10))
    client = daemon.client()
    client.request("POST", "/x", [("Content-Length", "1000000")] if where == "body" else [], "part" if where == "body" else None)
    if where == "stream":
        assert client.head().status == 200
    if where in ("connect", "queue"):
        wait_for(lambda: daemon.metrics().sum("sluice_client_connections") >= 1, 5, "it is connected")
        time.sleep(0.05)
    else:
        assert begun.wait(patience(10))
    at = time.monotonic()
    reset(client.socket)
    if where == "queue":  # it leaves the queue: what comes next is served as soon as there is room
        wait_for(lambda: daemon.metrics().sum("sluice_requests_total", code="499") == 1, 5, "counted as gone")
        assert server.count == 1
    elif where == "connect":
        wait_for(lambda: inflight() == 0, 5, "the attempt is given up")
    else:
        wait_for(lambda: noticed, 5, "the upstream sees the end")
        assert noticed[0] - at < 0.1 * (4 if sanitizer() else 1), noticed[0] - at
    wait_for(lambda: daemon.metrics().sum("sluice_requests_total", code="499") == 1, 5, "counted as gone")
    assert daemon.metrics().sum("sluice_request_errors_total") == 0, "not the variant's fault"
    first.close()
    listener.close()


def test_get_then_fin_still_gets_its_answer(start_sluice, upstream):
    release = threading.Event()

    def late(_request, reply):
        assert release.wait(patience(10))
        reply.send(200, "late")
    server = upstream("stable", late)
    daemon = start_sluice({"workers": 1, "pools": {"stable": pool(server)}, "routes": [route()]})
    with daemon.client() as client:
        client.request()
        client.socket.shutdown(socket.SHUT_WR)
        wait_for(lambda: server.count == 1, 5, "the request is there")
        release.set()
        assert client.response().text == "late" and client.closed()


# ---- slow on purpose

MODES = {"headers": ["-H", "-i", 1], "body": ["-B", "-i", 1, "-s", 8192, "-t", "POST"],
         "read": ["-X", "-w", 256, "-y", 512, "-n", 1, "-z", 32, "-k", 1]}


@pytest.mark.alone
@pytest.mark.heavy
@pytest.mark.parametrize("mode", sorted(MODES))
def test_slow_clients_do_not_disturb_the_others(start_sluice, nginx, upstream, tmp_path, mode):
    (tmp_path / "big").write_bytes(b"x" * (4 * MIB))
    # One that waits for bodies, and one that is not slowed down itself by sending so much at once.
    server = upstream() if mode == "body" else \
        nginx(f'root {tmp_path}; location /big {{ }} location / {{ return 200 "hello"; }}')
    daemon = start_sluice({"workers": 2, "pools": {"stable": pool(server)}, "routes": [route()]})
    count, seconds = scaled(1000, 100), 60  # ended when enough was seen
    assert daemon.ask().status == 200
    before = daemon.child.rss_kib()
    attack = Child(["slowhttptest", *MODES[mode], "-c", count, "-r", count // 2, "-l", seconds, "-u",
                    f"http://127.0.0.1:{daemon.port}/big"], tmp_path, "slowhttptest")
    try:
        wait_for(lambda: daemon.metrics().sum("sluice_client_connections") >= count * 0.9, 30, "the attack is under way")
        # The burst of a thousand connections has been taken: what is measured is life with them, not the machine that made them.
        assert daemon.ask("POST", "/v1", body="hello", timeout=30).status == 200
        took, memory = [], []
        until = time.monotonic() + 4
        while time.monotonic() < until:
            begin = time.monotonic()
            response = daemon.ask("POST", "/v1", body="hello")
            took.append(time.monotonic() - begin)
            memory.append(daemon.child.rss_kib())
            assert response.status == 200
        assert daemon.metrics().sum("sluice_client_connections") >= count * 0.5, "they were there all the time"
    finally:
        attack.terminate()
    took.sort()
    assert len(took) >= 50
    p99 = took[len(took) * 99 // 100]
    assert p99 < 1 * (4 if sanitizer() else 1), f"p99 {p99:.3f} s of {len(took)}"
    each = (max(memory) - before) / count  # a client that takes nothing holds one buffer, one that says little a page or two
    if not sanitizer():
        assert each < (80 if mode == "read" else 24), f"{each:.1f} KiB for each of them"
    wait_for(lambda: daemon.metrics().sum("sluice_client_connections") <= 1, 30, "they are gone")


# ---- many streams

@pytest.mark.alone
@pytest.mark.heavy
def test_thousands_of_streams_each_event_at_once(start_sluice, tmp_path):
    count = scaled(5000, 200)
    origin = Child([sys.executable, os.path.join(TOOLS, "streams.py"), "origin", 500], tmp_path, "origin")
    try:
        port = int(wait_for(origin.stdout, 10, "the origin's port"))
        daemon = start_sluice({"workers": 2, "pools": {"stable": {"endpoints": [f"http://127.0.0.1:{port}"]}},
                               "routes": [route()]})
        done = subprocess.run([sys.executable, os.path.join(TOOLS, "streams.py"), "client", str(daemon.port), str(count),
                               str(scaled(2500, 300))], capture_output=True, text=True, timeout=patience(150), check=True)
    finally:
        origin.kill()
    result = json.loads(done.stdout)
    assert (result["open"], result["closed"]) == (count, 0), result
    assert result["median_ms"] < 5 * (4 if sanitizer() else 1), result
