"""Events without delay, back-pressure without memory."""
import hashlib
import signal
import threading

import pytest

from harness.client import Client, Cut
from harness.load import Streams, Ticker
from harness.scale import scaled
from harness.sluice import pool, route
from harness.upstream import Closed
from harness.wait import wait_for

MIB = 1 << 20


def start(start_sluice, server, **settings):
    return start_sluice({"workers": 1, "limits": {"body_bytes": "1GiB"}, "pools": {"stable": pool(server)},
                         "routes": [route()], **settings})


@pytest.mark.parametrize("gulp", ["event", "split event", "two events"])
def test_every_event_arrives_before_the_upstream_sends_the_next(start_sluice, upstream, gulp):
    """In lock-step: the upstream waits for the client's word that it has the event. No clock is involved."""
    got = threading.Semaphore(0)
    count = 50

    def handler(_request, reply):
        reply.begin_sse()
        for i in range(count):
            if gulp == "event":
                reply.event(i)
            elif gulp == "split event":
                reply.raw(b"%x\r\n" % len(f"data: {i}\n\n"))
                reply.raw(f"data: {i}\n".encode())
                reply.raw(b"\n\r\n")
            else:
                reply.event(f"{i}a")
                reply.event(i)
            assert got.acquire(timeout=20), f"event {i} did not arrive"
        reply.end_chunked()
    daemon = start(start_sluice, upstream("stable", handler))
    with daemon.client() as client:
        client.request(headers=[("Accept", "text/event-stream")])
        head = client.final_head()
        assert head.header("Content-Type") == "text/event-stream"
        assert head.header("Content-Length") is None
        for i in range(count):
            if gulp == "two events":
                assert client.event() == f"{i}a"
            assert client.event() == str(i)
            got.release()
        assert client.chunk() == b""


def test_the_head_of_a_stream_does_not_wait_for_its_first_event(start_sluice, upstream):
    go = threading.Event()

    def handler(_request, reply):
        reply.begin_sse()
        assert go.wait(20)
        reply.event("late")
        reply.end_chunked()
    daemon = start(start_sluice, upstream("stable", handler))
    with daemon.client() as client:
        client.request()
        assert client.final_head().status == 200
        go.set()
        assert client.event() == "late"


def test_a_stream_without_framing_is_streamed_too(start_sluice, upstream):
    got = threading.Semaphore(0)

    def handler(_request, reply):
        reply.head(200, [("Content-Type", "text/event-stream")])
        for i in range(10):
            reply.raw(f"data: {i}\n\n".encode())
            assert got.acquire(timeout=20)
        reply.close()
    daemon = start(start_sluice, upstream("stable", handler))
    with daemon.client() as client:
        client.request()
        client.final_head()
        for i in range(10):
            assert client.event() == str(i)
            got.release()
        assert client.chunk() == b""


def test_a_request_body_is_streamed_in_lock_step(start_sluice, upstream):
    got = threading.Semaphore(0)
    server = upstream("stable")
    server.read_body = False

    def handler(request, reply):
        count = 0
        for _ in request.pieces:
            count += 1
            got.release()
        reply.send(200, str(count))
    server.handler = handler
    daemon = start(start_sluice, server)
    with daemon.client() as client:
        client.request("POST", "/", [("Transfer-Encoding", "chunked")])
        for i in range(20):
            client.send(f"6\r\npart{i:02}\r\n")
            assert got.acquire(timeout=20), "the part did not arrive before the next"
        client.send("0\r\n\r\n")
        assert client.response().text == "20"


def test_many_streams_at_once_get_every_event(start_sluice, upstream):
    ticker = Ticker()
    daemon = start(start_sluice, upstream("stable", ticker), workers=2)
    streams = Streams(daemon.address, scaled(100, 30))
    wait_for(lambda: ticker.streams == len(streams.next), what="all streams are open")
    for tick in range(1, 51):
        ticker.tick()
        wait_for(lambda: streams.broken or min(streams.next) >= tick, 20, f"event {tick} everywhere")
    ticker.end()
    wait_for(lambda: streams.open == 0, 20, "every stream has ended")
    assert not streams.broken and all(streams.done)
    streams.close()


class Meter:
    """How much got through, and whether it has stopped moving."""

    def __init__(self):
        self.bytes = 0
        self.done = threading.Event()

    def stalled(self):
        """True after half a second without progress."""
        before = self.bytes
        return not self.done.wait(0.5) and before == self.bytes and before > 0


# What may lie in kernel socket buffers is not sluice's memory; what is: one watermark each way per connection.
SLACK_KIB = 12 * 1024


def test_a_client_that_does_not_read_stops_the_upstream_and_costs_no_memory(start_sluice, upstream):
    size = scaled(200, 40) * MIB
    block = hashlib.shake_128(b"block").digest(MIB)
    meter = Meter()

    def handler(_request, reply):
        reply.head(200, [("Content-Length", size)])
        for _ in range(size // MIB):
            for at in range(0, MIB, 65536):
                reply.raw(block[at:at + 65536])
                meter.bytes += 65536
        meter.done.set()
    daemon = start(start_sluice, upstream("stable", handler))
    before = daemon.child.rss_kib()
    with Client(daemon.address, 60, receive_buffer=65536) as client:
        client.request()
        response = client.final_head()
        wait_for(meter.stalled, 30, "the upstream's sending stalls")
        assert meter.bytes < size // 2, f"{meter.bytes} bytes went out while nobody read"
        growth = daemon.child.rss_kib() - before
        assert growth < SLACK_KIB, f"grew by {growth} KiB"
        digest, count = hashlib.sha256(), 0
        for piece in client.pieces(response):
            digest.update(piece)
            count += len(piece)
        assert count == size and digest.digest() == hashlib.sha256(block * (size // MIB)).digest()
    assert daemon.child.rss_kib() - before < SLACK_KIB


def test_an_upstream_that_does_not_read_stops_the_client_and_costs_no_memory(start_sluice, upstream):
    size = scaled(200, 128) * MIB  # twice what the sockets on the way may hold for themselves: tcp_rmem has 32 MiB at most
    go = threading.Event()
    server = upstream("stable")
    server.read_body = False

    def handler(request, reply):
        digest, count = hashlib.sha256(), 0
        assert go.wait(60)
        for piece in request.pieces:
            digest.update(piece)
            count += len(piece)
        reply.send(200, f"{count} {digest.hexdigest()}")
    server.handler = handler
    daemon = start(start_sluice, server)
    block = hashlib.shake_128(b"block").digest(MIB)
    meter = Meter()
    with daemon.client(60) as client:
        before = daemon.child.rss_kib()
        client.request("POST", "/", [("Content-Length", size)])

        def push():
            for _ in range(size // MIB):
                for at in range(0, MIB, 65536):
                    client.send(block[at:at + 65536])
                    meter.bytes += 65536
            meter.done.set()
        sender = threading.Thread(target=push, daemon=True)
        sender.start()
        wait_for(meter.stalled, 30, "the client's sending stalls")
        assert meter.bytes < size // 2
        growth = daemon.child.rss_kib() - before
        assert growth < SLACK_KIB, f"grew by {growth} KiB"
        go.set()
        assert client.response().text == f"{size} {hashlib.sha256(block * (size // MIB)).hexdigest()}"
        sender.join(10)


def test_a_slow_reader_does_not_hold_up_others_on_the_same_worker(start_sluice, upstream):
    def handler(request, reply):
        reply.send(200, b"x" * (8 * MIB) if request.path == "/big" else b"small")
    daemon = start(start_sluice, upstream("stable", handler))
    with Client(daemon.address, receive_buffer=65536) as slow, daemon.client() as quick:
        slow.request("GET", "/big")
        assert slow.final_head().status == 200
        for _ in range(100):
            assert quick.ask().text == "small"


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("when", ["before", "during"])
def test_a_client_that_goes_away_frees_its_upstream_and_is_a_499(start_sluice, upstream, how, when):
    """A reset is seen at once. A close looks like the end of the requests of a client that still reads, until the next
    byte for it is answered by a reset: then the stream ends."""
    released, gone = threading.Event(), threading.Event()

    def handler(_request, reply):
        if when == "during":
            reply.begin_sse()
            reply.event("first")
        try:
            if how == "reset":
                if not reply.wait_closed(20):
                    return
            else:
                assert gone.wait(20)
                if when == "before":
                    reply.begin_sse()
                for i in range(2000):
                    reply.event(i)
                    gone.clear()
                    gone.wait(0.01)
                return
        except Closed:
            pass
        released.set()
        reply.close()
    server = upstream("stable", handler)
    daemon = start(start_sluice, server)
    client = daemon.client()
    client.request()
    if when == "during":
        client.final_head()
        assert client.event() == "first"
    else:
        wait_for(lambda: server.count == 1)
    if how == "reset":
        client.reset()
    else:
        client.close()
    gone.set()
    assert released.wait(20), "the upstream connection was not closed"
    assert daemon.counted("sluice_requests_total", 1, route="chat", variant="stable", code="499")
    metrics = daemon.metrics()
    assert metrics.sum("sluice_request_errors_total", route="chat") == 0, "not the variant's fault"
    assert metrics.sum("sluice_endpoint_inflight") == 0


def test_a_stream_that_breaks_off_is_seen_by_the_client(start_sluice, upstream):
    def handler(_request, reply):
        reply.begin_sse()
        reply.event("one")
        reply.reset()
    daemon = start(start_sluice, upstream("stable", handler))
    with daemon.client() as client:
        client.request()
        assert client.final_head().status == 200
        with pytest.raises((Cut, ConnectionError)):
            assert client.event() == "one"
            client.event()
    assert daemon.counted("sluice_request_errors_total", 1, variant="stable", reason="cut_short")


@pytest.mark.parametrize("begun", ["with an event", "without its head"])
def test_a_reset_that_comes_together_with_bytes_is_seen(start_sluice, upstream, begun):
    """The daemon stands still while both arrive: it is told of them at once, and reads the bytes first."""
    go_on, sent = threading.Event(), threading.Event()

    def handler(_request, reply):
        if begun == "with an event":
            reply.begin_sse()
            reply.event("one")
        assert go_on.wait(20)
        reply.raw(b"HTTP/1.1 200 OK\r\nX-Cut" if begun == "without its head" else b"b\r\ndata: two\n\n\r\n")
        try:
            reply.reset()
        finally:
            sent.set()
    server = upstream("stable", handler)
    daemon = start(start_sluice, server, timeouts={"stream_idle": "15s", "first_byte": "15s"})
    with daemon.client(timeout=10) as client:
        client.request()
        if begun == "with an event":
            assert client.final_head().status == 200
            assert client.event() == "one"
        else:
            wait_for(lambda: server.inflight == 1)
        daemon.child.signal(signal.SIGSTOP)
        go_on.set()
        assert sent.wait(20)
        daemon.child.signal(signal.SIGCONT)
        if begun == "without its head":
            assert client.final_head().status == 502
        else:
            assert client.event() == "two"
            with pytest.raises((Cut, ConnectionError)):
                client.event()
    assert daemon.counted("sluice_request_errors_total", 1, variant="stable", reason="reset" if begun == "without its head" else "cut_short")
