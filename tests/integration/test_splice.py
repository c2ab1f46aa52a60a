"""Large bodies that nobody has to look at go through pipes: whole, bounded, and without leaving pipes behind."""
import hashlib
import os
import random
import resource
import threading

import pytest

from harness.client import Client, Cut
from harness.sluice import pool, route
from harness.wait import wait_for

KIB, MIB = 1 << 10, 1 << 20
SIZES = [64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 128 * KIB, 200001, MIB, 4 * MIB + 1, 9 * MIB + 12345]
KEPT = 16  # empty pipes that a worker keeps, of each of the two kinds


def start(start_sluice, server, **settings):
    return start_sluice({"workers": 1, "limits": {"body_bytes": "1GiB"}, "pools": {"stable": pool(server)},
                         "routes": [route(**settings)]})


def pipes(daemon):
    """Pipes that the daemon has open, beside those it began with."""
    found, folder = set(), f"/proc/{daemon.pid}/fd"
    for name in os.listdir(folder):
        try:
            target = os.readlink(os.path.join(folder, name))
        except OSError:  # it was closed meanwhile
            continue
        if target.startswith("pipe:"):
            found.add(target)
    return found


def noise(size):
    return random.Random(size).randbytes(size)


def test_every_size_arrives_whole_both_ways(start_sluice, upstream):
    def echo(request, reply):
        size = int(request.path[1:])
        body = noise(size) if request.method == "GET" else request.body_sha.encode()
        reply.send(200, body, [("Content-Type", "application/octet-stream")])
    daemon = start(start_sluice, upstream("stable", echo))
    before = pipes(daemon)
    with daemon.client(timeout=60) as client:  # one connection: what a body leaves behind spoils the next answer
        for size in SIZES:
            body = noise(size)
            assert client.ask("GET", f"/{size}").body == body
            assert client.ask("POST", f"/{size}", body=body).text == hashlib.sha256(body).hexdigest()
    assert 1 <= len(pipes(daemon) - before) <= 2, "they went through pipes, and these are kept for the next"
    sent, answered = sum(SIZES), sum(SIZES) + 64 * len(SIZES)
    wait_for(lambda: daemon.metrics().sum("sluice_request_bytes_total") == sent, 5, "counted")
    wait_for(lambda: daemon.metrics().sum("sluice_response_bytes_total") == answered, 5, "counted")


def test_bytes_of_the_next_request_stay_out_of_the_pipe(start_sluice, upstream):
    daemon = start(start_sluice, upstream("stable", lambda request, reply: reply.send(200, request.body_sha or "none")))
    body = noise(3 * MIB)
    with daemon.client(timeout=60) as client:
        first = f"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
        threading.Thread(target=client.socket.sendall, args=(first + b"GET /b HTTP/1.1\r\nHost: h\r\n\r\n",)).start()
        assert client.response().text == hashlib.sha256(body).hexdigest()
        assert client.response().status == 200


def test_a_body_that_is_kept_for_another_attempt_is_not_lost(start_sluice, upstream):
    """Up to buffered_body_bytes it is copied, for a second attempt; what is larger goes on through a pipe."""
    daemon = start(start_sluice, upstream("stable", lambda request, reply: reply.send(200, request.body_sha)),
                   retry={"attempts": 1, "on": ["connect"]})
    for size in (700 * KIB, 5 * MIB):
        body = noise(size)
        assert daemon.ask("POST", "/", body=body, timeout=60).text == hashlib.sha256(body).hexdigest()


def test_a_client_that_pauses_gets_the_rest_later(start_sluice, upstream):
    sent, body = [0], noise(48 * MIB)

    def flood(_request, reply):
        reply.head(200, [("Content-Length", len(body))])
        for at in range(0, len(body), MIB):
            reply.raw(body[at:at + MIB])
            sent[0] = at + MIB
    daemon = start(start_sluice, upstream("stable", flood))
    with Client(daemon.address, timeout=60, receive_buffer=65536) as client:
        client.request("GET", "/")
        response = client.final_head()
        last = [-1]

        def stands_still():
            still, last[0] = sent[0] == last[0], sent[0]
            return still and sent[0] > 0
        wait_for(stands_still, 30, "the upstream cannot send on", interval=0.5)
        assert sent[0] < 24 * MIB, "what the client does not take is not fetched"
        digest = hashlib.sha256()
        for piece in client.pieces(response):
            digest.update(piece)
    assert digest.digest() == hashlib.sha256(body).digest()


def test_an_upstream_that_pauses_is_waited_for(start_sluice, upstream):
    got, body = threading.Semaphore(0), noise(MIB)

    def steps(_request, reply):
        reply.head(200, [("Content-Length", len(body))])
        for at in range(0, len(body), 100000):  # each part must arrive before the next is sent
            reply.raw(body[at:at + 100000])
            assert got.acquire(timeout=20), f"what stands at {at} did not arrive"
    daemon = start(start_sluice, upstream("stable", steps))
    with daemon.client() as client:
        client.request("GET", "/")
        client.final_head()
        for at in range(0, len(body), 100000):
            part = body[at:at + 100000]
            assert client.exactly(len(part)) == part
            got.release()


@pytest.mark.parametrize("end", ["close", "reset"])
def test_an_upstream_that_breaks_off_cuts_the_answer(start_sluice, upstream, end):
    def broken(_request, reply):
        reply.head(200, [("Content-Length", 8 * MIB)])
        reply.raw(noise(3 * MIB))
        reply.close() if end == "close" else reply.reset()
    daemon = start(start_sluice, upstream("stable", broken))
    with daemon.client(timeout=30) as client:
        client.request("GET", "/")
        with pytest.raises((Cut, ConnectionError)):
            for _ in client.pieces(client.final_head()):
                pass
    wait_for(lambda: daemon.metrics().sum("sluice_request_errors_total", reason="cut_short") == 1, 5, "charged")


@pytest.mark.parametrize("way", ["down", "up"])
def test_clients_that_go_leave_no_pipes_behind(start_sluice, upstream, way):
    over = threading.Event()

    def handler(_request, reply):
        if way == "up":
            over.wait(60)  # and reads nothing
            return
        reply.head(200, [("Content-Length", 64 * MIB)])
        for _ in range(64):
            reply.raw(b"x" * MIB)
    server = upstream("stable", handler)
    server.read_body = False
    daemon = start(start_sluice, server)
    before = pipes(daemon)
    clients = [Client(daemon.address, timeout=20, receive_buffer=65536) for _ in range(20)]
    for client in clients:
        line, size = ("GET", 0) if way == "down" else ("POST", 64 * MIB)
        client.send(f"{line} / HTTP/1.1\r\nHost: h\r\nContent-Length: {size}\r\n\r\n")
        client.socket.setblocking(False)

    def all_are_held():
        for client in clients if way == "up" else ():
            try:
                client.socket.send(b"x" * MIB)
            except BlockingIOError:
                pass
        return len(pipes(daemon) - before) >= len(clients)
    wait_for(all_are_held, 30, "each has a pipe with what the other side does not take")
    for client in clients:
        client.reset()
    wait_for(lambda: daemon.metrics().sum("sluice_client_connections") == 0, 20, "they are gone")
    over.set()
    wait_for(lambda: len(pipes(daemon) - before) <= KEPT, 10, "and so are their pipes")


def test_without_descriptors_bodies_are_copied(start_sluice, upstream):
    """Nothing depends on pipes: when none can be made, bytes go through memory."""
    body = noise(6 * MIB)
    daemon = start(start_sluice, upstream("stable", lambda request, reply: reply.send(
        200, body if request.path == "/big" else "small")))
    before = pipes(daemon)
    with daemon.client(timeout=60) as client:
        assert client.ask("GET", "/").text == "small"  # both connections are made
        most = max(map(int, os.listdir(f"/proc/{daemon.pid}/fd"))) + 1
        resource.prlimit(daemon.pid, resource.RLIMIT_NOFILE, (most, most))
        assert client.ask("GET", "/big").body == body
        assert pipes(daemon) == before
