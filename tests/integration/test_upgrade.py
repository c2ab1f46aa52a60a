"""Upgrade to WebSocket: passed to the chosen variant, then bytes both ways."""
import hashlib
import os
import socket
import threading

import pytest

from harness.certificates import make_ca, make_certificate
from harness.scale import patience, scaled
from harness.sluice import pool, route
from harness.wait import wait_for
from test_upstream_tls import TlsUpstream

ASK = [("Connection", "keep-alive, Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13"),
       ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")]
SWITCH = (b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n")


@pytest.fixture
def pair(start_sluice, upstream):
    server = upstream("stable")
    daemon = start_sluice({"pools": {"stable": pool(server)}, "routes": [route()]})
    return daemon, server


def echo(_request, reply):
    """Agrees, and gives every byte back until the other side has ended; then ends too."""
    reply.raw(SWITCH)
    peer = reply._connection.socket  # pylint: disable=protected-access
    rest, reply._connection.buffer = reply._connection.buffer, b""  # pylint: disable=protected-access
    if rest:
        reply.raw(rest)
    while True:
        data = peer.recv(65536)
        if not data:
            break
        reply.raw(data)
    reply.over()
    reply.close()


def switched(client):
    client.request("GET", "/v1/realtime", headers=ASK)
    head = client.head()
    assert head.status == 101, head
    return head


def test_the_switch_names_what_it_must(pair):
    daemon, server = pair
    server.handler = echo
    with daemon.client() as client:
        head = switched(client)
        assert head.header("Upgrade") == "websocket" and head.header("Connection").lower() == "upgrade"
        assert head.header("Sec-WebSocket-Accept") and head.header("X-Sluice-Variant") == "stable"
        client.send(b"ping")
        assert client.exactly(4) == b"ping"
    sent = server.requests[0]
    assert sent.header("Upgrade") == "websocket" and sent.header("Connection").lower() == "upgrade"
    assert sent.header("Sec-WebSocket-Key")


def test_large_messages_both_ways_at_once_arrive_whole(pair):
    daemon, server = pair
    server.handler = echo
    block = os.urandom(1 << 20)
    count = scaled(32)
    with daemon.client(timeout=60) as client:
        switched(client)

        def send():
            for _ in range(count):
                client.send(block)
        sender = threading.Thread(target=send)
        sender.start()
        digest = hashlib.sha256()
        for _ in range(count):
            digest.update(client.exactly(len(block)))
        sender.join(60)
    assert digest.hexdigest() == hashlib.sha256(block * count).hexdigest()


def test_each_side_ends_by_itself(pair):
    """The client has nothing more to say, and still hears the last word."""
    daemon, server = pair

    def last_word(_request, reply):
        reply.raw(SWITCH)
        assert reply._connection.socket.recv(100) == b"over"  # pylint: disable=protected-access
        assert reply._connection.socket.recv(100) == b""  # pylint: disable=protected-access
        reply.raw(b"and out")
        reply.over()
        reply.close()
    server.handler = last_word
    with daemon.client() as client:
        switched(client)
        client.send(b"over")
        client.socket.shutdown(1)
        assert client.exactly(7) == b"and out"
        assert client.closed()


def test_a_refusal_is_an_answer_like_any_other(pair):
    daemon, server = pair
    server.handler = lambda request, reply: reply.send(403, "no")
    with daemon.client() as client:
        client.request("GET", "/v1/realtime", headers=ASK)
        assert client.response().status == 403
        server.handler = lambda request, reply: reply.send(200, "yes")
        assert client.ask().status == 200


def test_what_nobody_asked_for_is_refused(pair):
    daemon, server = pair
    server.handler = echo
    assert daemon.ask("GET", "/v1/realtime").status == 502
    for headers in ([("Upgrade", "websocket")], [("Connection", "Upgrade"), ("Upgrade", "h2c")]):
        assert daemon.ask("GET", "/v1/realtime", headers=headers).status == 502
        assert server.requests[-1].header("Upgrade") is None


@pytest.mark.parametrize("answer", [
    b"HTTP/1.1 101 X\r\n\r\n", b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\n\r\n", b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\n\r\n",
    b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    b"HTTP/1.1 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n",
    b"HTTP/1.0 101 X\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"])
def test_a_switch_to_something_else_is_refused(pair, answer):
    """RFC 9110 7.8: the protocol that was asked for, and named."""
    daemon, server = pair
    server.handler = lambda _request, reply: (reply.raw(answer), reply.close())
    with daemon.client() as client:
        client.request("GET", "/v1/realtime", headers=ASK)
        response = client.response()
        assert response.status == 502 and response.header("X-Sluice-Error") == "bad_response"


def test_it_counts_as_one_exchange_and_its_ends_are_seen(pair):
    daemon, server = pair
    server.handler = echo
    with daemon.client() as client:
        switched(client)
        client.send(b"x")
        client.exactly(1)
        client.reset()
    assert daemon.counted("sluice_requests_total", 1, route="chat", variant="stable", code="499")
    with daemon.client() as client:
        switched(client)
        client.socket.shutdown(1)
        assert client.closed()
    assert daemon.counted("sluice_requests_total", 1, route="chat", variant="stable", code="2xx")


def test_silence_ends_it(start_sluice, upstream):
    server = upstream("stable")
    server.handler = echo
    daemon = start_sluice({"timeouts": {"stream_idle": "300ms"}, "pools": {"stable": pool(server)}, "routes": [route()]})
    with daemon.client() as client:
        switched(client)
        assert client.closed()


# ---- ends that are not in order

@pytest.fixture
def through(request, start_sluice, upstream, tmp_path):
    """through(handler) -> daemon, whose endpoint speaks TLS or does not."""
    servers = []

    def make(handler):
        if request.param == "tls":
            ca = make_ca(str(tmp_path))
            pair = make_certificate(str(tmp_path), ca, names=("127.0.0.1",))
            server = TlsUpstream((pair.certificate, pair.key), handler=handler, goodbye=False)
            servers.append(server)
            settings = {"tls": {"ca": ca.certificate}}
        else:
            server, settings = upstream("stable", handler), {}
        stable = pool(server, ejection={"consecutive_failures": 0}, **settings)
        return start_sluice({"workers": 1, "pools": {"stable": stable}, "routes": [route()]})
    yield make
    for server in servers:
        server.stop()


endpoints = pytest.mark.parametrize("through", ["plain", "tls"], indirect=True)
CLOSE_1009 = b"\x88\x02\x03\xf1"


@endpoints
@pytest.mark.parametrize("words", [CLOSE_1009, b"\x82\x7e\xff\xff" + bytes(65535) + CLOSE_1009], ids=["close", "message"])
def test_the_last_words_before_a_reset_arrive(through, words):
    """A server that has enough closes while the client still sends: its socket is reset, but what it said counts."""
    def enough(_request, reply):
        reply.raw(SWITCH)
        assert reply._connection.socket.recv(100)  # pylint: disable=protected-access
        reply.raw(words)
        reply.over()
        reply.close()  # with unread bytes
    daemon = through(enough)
    count = scaled(100, 20)
    for i in range(count):
        with daemon.client() as client:
            switched(client)
            heard = threading.Event()

            def send(there=client, until=heard):
                try:
                    while not until.is_set():
                        there.send(bytes(16384))
                except OSError:
                    pass  # nobody listens any more
            sender = threading.Thread(target=send)
            sender.start()
            try:
                assert client.exactly(len(words)) == words, i
            finally:
                heard.set()
                sender.join(patience(10))
    assert daemon.counted("sluice_requests_total", count, variant="stable")
    assert not sender.is_alive()


def queues(local, remote):
    """Of a TCP socket of this machine, by its ports: bytes that it has not sent, and that were not read from it."""
    for _ in range(50):  # the table is no snapshot: while others open and close sockets, a line may be passed over
        with open("/proc/net/tcp", encoding="ascii") as table:
            for line in table.readlines()[1:]:
                fields = line.split()
                if [int(address.split(":")[1], 16) for address in fields[1:3]] == [local, remote]:
                    return [int(length, 16) for length in fields[4].split(":")]
    raise AssertionError("no such socket")


def left_unread(daemon, client):
    """What the client has sent is with the daemon, which does not read it: its upstream takes no more."""
    port = client.socket.getsockname()[1]
    wait_for(lambda: queues(port, daemon.port)[0] == 0, patience(10), "all is sent")
    try:
        wait_for(lambda: queues(daemon.port, port)[1] == 0, patience(0.5))
    except AssertionError:
        return True
    return False


@endpoints
def test_what_comes_after_the_upstreams_last_byte_still_arrives(through):
    """The upstream has said all, reads late, and the client's end comes behind bytes that wait for it."""
    read, result = threading.Event(), {}

    def listens(_request, reply):
        reply.raw(SWITCH)
        peer = reply._connection.socket  # pylint: disable=protected-access
        socket.socket.shutdown(peer, socket.SHUT_WR)
        assert read.wait(patience(30))
        digest = hashlib.sha256()
        try:
            while data := peer.recv(65536):
                digest.update(data)
            result["end"] = "in order"
        except OSError as error:
            result["end"] = repr(error)
        result["digest"] = digest.hexdigest()
        reply.over()
        reply.close()
    daemon = through(listens)
    sent = hashlib.sha256()
    with daemon.client() as client:
        switched(client)
        assert client.closed()
        block = os.urandom(1 << 16)
        while not left_unread(daemon, client):
            client.send(block)
            sent.update(block)
        client.socket.shutdown(socket.SHUT_WR)
        # The daemon has seen the end: it has answered another client since, from the same thread.
        assert daemon.ask("BAD REQUEST").status == 400
        read.set()
        wait_for(lambda: "digest" in result, patience(20), "the upstream has read all")
    assert result == {"digest": sent.hexdigest(), "end": "in order"}
    assert daemon.counted("sluice_requests_total", 1, variant="stable", code="2xx")
    assert daemon.counted("sluice_request_errors_total", 0)


@endpoints
def test_a_reset_right_behind_the_last_words_is_seen(through):
    """Both may come in one event; nobody says anything afterwards, and the client must not wait for its time-out."""
    def gone(_request, reply):
        peer = reply._connection.socket  # pylint: disable=protected-access
        reply.raw(SWITCH)
        assert peer.recv(1) == b"x"
        reply.raw(CLOSE_1009)
        reply.over()
        reply.reset()
    daemon = through(gone)
    count = scaled(300, 60)
    for i in range(count):
        with daemon.client() as client:
            switched(client)
            client.send(b"x")
            assert client.exactly(len(CLOSE_1009)) == CLOSE_1009, i
            assert client.closed(), i
    assert daemon.counted("sluice_request_errors_total", count, reason="cut_short")
