"""Upgrade to WebSocket: passed to the chosen variant, then bytes both ways."""
import hashlib
import os
import threading

import pytest

from harness.scale import scaled
from harness.sluice import pool, route

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
