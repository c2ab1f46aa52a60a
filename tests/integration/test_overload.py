"""Ceilings: what is past them is answered 503 with Retry-After, what has begun goes on, and the admin address answers."""
import threading

from harness.client import ask
from harness.load import Ticker
from harness.sluice import pool, route
from harness.wait import wait_for

RETRY = {"on": ["connect"]}


def rejected(daemon, reason):
    return daemon.metrics().sum("sluice_rejected_requests_total", reason=reason)


def shed(response, reason):
    assert (response.status, response.header("X-Sluice-Error")) == (503, reason), response
    assert response.header("Retry-After")


def test_requests_past_the_ceiling_are_shed_and_streams_go_on(start_sluice, upstream):
    ticker = Ticker()
    server = upstream(handler=lambda request, reply: ticker(request, reply) if request.path == "/s" else reply.send(200))
    daemon = start_sluice({"workers": 2, "limits": {"requests": 3}, "pools": {"stable": pool(server)}, "routes": [route()]})
    streams = [daemon.client() for _ in range(3)]
    for stream in streams:
        stream.request("GET", "/s")
        assert stream.head().status == 200
    assert daemon.metrics().sum("sluice_requests_inflight") == 3
    with daemon.client() as more:
        for _ in range(3):  # on one connection: it stays
            shed(more.ask(), "requests")
        shed(more.ask("POST", "/", body="{}"), "requests")
        assert rejected(daemon, "requests") == 4
        assert daemon.admin().ask("GET", "/readyz").status == 200 and daemon.cli("status").returncode == 0
        for number in range(3):
            ticker.tick()
            assert all(stream.event() == str(number) for stream in streams)
        streams.pop().reset()
        daemon.counted("sluice_requests_inflight", 2)
        assert more.ask().status == 200
    for stream in streams:
        stream.close()
    ticker.end()
    daemon.counted("sluice_requests_inflight", 0)


def test_a_reload_changes_the_ceiling(start_sluice, upstream):
    gate = threading.Event()

    def handler(request, reply):
        if request.path == "/hang":
            gate.wait(30)
        reply.send(200)
    config = {"workers": 1, "limits": {"requests": 1}, "pools": {"stable": pool(upstream(handler=handler))}, "routes": [route()]}
    daemon = start_sluice(config)
    with daemon.client() as held, daemon.client() as client:
        held.request("GET", "/hang")
        daemon.counted("sluice_requests_inflight", 1)
        shed(client.ask(), "requests")
        daemon.reload({**config, "limits": {"requests": 0}})
        assert client.ask().status == 200
        gate.set()
        assert held.response().status == 200


def test_past_the_memory_ceiling_nothing_more_is_taken(start_sluice, upstream):
    """Bodies that are being collected take the memory: new requests are shed, so are heads in pieces; what was sent on
    goes on, and afterwards everything does."""
    ticker = Ticker()
    server = upstream(handler=lambda request, reply: ticker(request, reply) if request.path == "/s" else reply.send(200))
    daemon = start_sluice({
        "workers": 1, "limits": {"memory": "2MiB", "buffered_body_bytes": "1MiB"}, "pools": {"stable": pool(server)},
        "routes": [route("json", match={"json": {"/model": "a"}}), route("chat", retry=RETRY)]})
    with daemon.client() as stream, daemon.client() as idle:
        stream.request("GET", "/s")
        assert stream.head().status == 200
        assert idle.ask().status == 200
        collected = []
        for _ in range(4):
            client = daemon.client()
            client.send("POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + '{"pad":"' + "x" * 600_000)
            collected.append(client)
        wait_for(lambda: rejected(daemon, "memory") >= 1, 10, "one of the bodies was too much")
        refused = [client for client in collected if client.socket in readable([c.socket for c in collected])]
        for client in refused:
            shed(client.response(), "memory")
            assert client.closed()
        # The others stay and hold what they hold: with another one the ceiling is reached again.
        held = [client for client in collected if client not in refused]
        assert held
        ticker.tick()
        assert stream.event() == "0"
        assert daemon.metrics().sum("sluice_request_memory_bytes") > 0
        assert daemon.metrics().sum("sluice_request_memory_limit_bytes") == 2 << 20
        for client in held:
            client.close()
        wait_for(lambda: idle.ask().status == 200, 10, "requests are taken again")
    ticker.end()


def readable(sockets):
    import select  # pylint: disable=import-outside-toplevel
    return select.select(sockets, [], [], 0)[0]


def test_heads_in_pieces_do_not_starve_whole_requests_for_long(start_sluice, upstream):
    """Slow heads hold buffers until the ceiling; the next of them is refused at once, and the first ones at
    client_header."""
    daemon = start_sluice({"workers": 1, "limits": {"memory": "1MiB"}, "timeouts": {"client_header": "1s"},
                           "pools": {"stable": pool(upstream())}, "routes": [route()]})
    slow = [daemon.client() for _ in range(30)]
    for client in slow:
        client.send("GET / HTTP/1.1\r\nHost: x\r\n")
    wait_for(lambda: rejected(daemon, "memory") > 0, 10, "some were refused for memory")
    wait_for(lambda: daemon.ask().status == 200, 10, "whole requests are answered again")
    answers = [client.response() for client in slow]
    assert {answer.status for answer in answers} == {408, 503}
    assert all(client.closed() for client in slow)


def test_short_of_memory_a_body_is_no_longer_kept_and_still_goes_through(start_sluice, upstream):
    """Kept for a retry it would take more than there is: it is passed on without."""
    server = upstream()
    daemon = start_sluice({"workers": 1, "limits": {"memory": "1MiB", "buffered_body_bytes": "16MiB"},
                           "pools": {"stable": pool(server)}, "routes": [route(retry=RETRY)]})
    body = "x" * 8_000_000
    with daemon.client() as client:
        assert client.ask("POST", "/", body=body).status == 200
        assert server.requests[-1].body_bytes == len(body)
        assert client.ask().status == 200
    daemon.counted("sluice_requests_inflight", 0)
    assert rejected(daemon, "memory") == 0


def test_a_refused_client_that_has_sent_its_request_reads_the_answer(start_sluice, upstream):
    daemon = start_sluice({"workers": 1, "limits": {"connections": 1}, "pools": {"stable": pool(upstream())},
                           "routes": [route()]})
    with daemon.client() as first:
        assert first.ask().status == 200
        for _ in range(50):
            shed(ask(daemon.address, "POST", body="x" * 2000), "connections")
        assert first.ask().status == 200
        assert rejected(daemon, "connections") == 50
