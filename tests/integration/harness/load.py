"""Load with a memory: wrk, keep-alive loops in threads, and open event streams that notice a gap."""
import collections
import re
import selectors
import signal
import socket
import threading
import time

from .client import Client, Cut
from .process import Child
from .scale import patience


class Wrk:
    """wrk in the background, until finish() interrupts it (it then prints its figures), at most `seconds` long."""

    def __init__(self, directory, url, connections, seconds=400, threads=1, name="wrk", headers=()):
        argv = ["wrk", "-t", threads, "-c", connections, "-d", f"{seconds}s", "--timeout", "20s", "--latency"]
        for header in headers:
            argv += ["-H", header]
        self.child = Child([*argv, url], directory, name)

    def running(self):
        return self.child.running()

    def finish(self):
        self.child.signal(signal.SIGINT)
        assert self.child.wait(30) == 0, self.child.stderr()
        text = self.child.stdout()
        errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
        refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
        return {"requests": int(re.search(r"(\d+) requests in", text)[1]),
                "socket_errors": sum(map(int, errors.groups())) if errors else 0,
                "bad_status": int(refused[1]) if refused else 0, "text": text}


class Loop:
    """Threads that each send one request after the other until stop(). `make(i)` gives (method, target, headers, body) of
    the i-th request of a thread. A connection that the server closes between answers ("Connection: close") is
    opened anew, and so is one that has been idle for as long as a proxy which drains may take to close it; everything
    else that goes wrong is kept in `failures`."""

    IDLE_MOST = 0.5  # seconds; a draining proxy waits for one (docs/decisions/0003): a thread may get no CPU for longer

    def __init__(self, address, threads=8, make=None, on_response=None):
        self.address = address
        self.make = make or (lambda i: ("GET", "/", (), None))
        self.on_response = on_response
        self.failures = []
        self.statuses = collections.Counter()
        self.variants = collections.Counter()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(n,), daemon=True) for n in range(threads)]
        for thread in self._threads:
            thread.start()

    @property
    def total(self):
        return sum(self.statuses.values())

    def _run(self, number):
        client = None
        idle_since = 0
        i = 0
        while not self._stop.is_set():
            i += 1
            method, target, headers, body = self.make(number * 1_000_000 + i)
            if client and time.monotonic() - idle_since > self.IDLE_MOST:
                client.close()
                client = None
            try:
                if client is None:
                    client = Client(self.address)
                response = client.ask(method, target, headers, body)
                idle_since = time.monotonic()
            except (OSError, Cut) as error:
                with self._lock:
                    self.failures.append(repr(error))
                if client:
                    client.close()
                client = None
                if len(self.failures) > 200:
                    return
                continue
            with self._lock:
                self.statuses[response.status] += 1
                self.variants[response.variant] += 1
                if self.on_response:
                    self.on_response(response)
            if (response.header("Connection") or "").lower() == "close":
                client.close()
                client = None
        if client:
            client.close()

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join(patience(20))
            assert not thread.is_alive(), "a request of the load never ended"
        return self


class Visits(Loop):
    """A connection for each request."""

    def connect(self):
        return Client(self.address)

    def _run(self, number):
        i = 0
        while not self._stop.is_set():
            i += 1
            try:
                with self.connect() as client:
                    response = client.ask(*self.make(number * 1_000_000 + i))
            except (OSError, Cut) as error:
                with self._lock:
                    self.failures.append(repr(error))
                continue
            with self._lock:
                self.statuses[response.status] += 1
                if self.on_response:
                    self.on_response(response)


def judge(*loads):
    """Stops them; every request was answered, with 200."""
    for load in loads:
        load.stop()
        assert not load.failures, load.failures[:5]
        assert set(load.statuses) == {200} and load.total


class Ticker:
    """An upstream handler: every stream gets event 0, 1, 2 … at each tick() of the test, or of an own thread."""

    def __init__(self):
        self._condition = threading.Condition()
        self._tick = 0
        self._ended = False
        self.streams = 0

    def __call__(self, request, reply):
        reply.begin_sse()
        with self._condition:
            self.streams += 1
            seen = self._tick
        number = 0
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._tick > seen or self._ended, 120)
                fresh, seen, ended = self._tick - seen, self._tick, self._ended
            for _ in range(fresh):
                reply.event(number)
                number += 1
            if ended:
                reply.event("[DONE]")
                reply.end_chunked()
                return

    def tick(self):
        with self._condition:
            self._tick += 1
            self._condition.notify_all()

    def end(self):
        with self._condition:
            self._ended = True
            self._condition.notify_all()


class Streams:
    """`count` open event streams, read by one thread, each checked to get 0, 1, 2 … and a proper end."""

    def __init__(self, address, count, headers=()):
        self.next = [0] * count
        self.done = [False] * count
        self.broken = []
        self._clients = []
        self._selector = selectors.DefaultSelector()
        for i in range(count):
            client = Client(address, 30)
            client.request("GET", "/stream", [("Accept", "text/event-stream"), ("X-User-Id", f"s-{i}"), *headers])
            response = client.final_head()
            assert response.status == 200, response
            client.index = i
            self._clients.append(client)
            client.socket.setblocking(False)
            self._selector.register(client.socket, selectors.EVENT_READ, client)
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        for client in self._clients:
            self._consume(client)
        while not self._halt.is_set() and self._selector.get_map():
            for key, _ in self._selector.select(0.2):
                client = key.data
                try:
                    data = client.socket.recv(65536)
                except BlockingIOError:
                    continue
                except OSError as error:
                    self._drop(client, repr(error))
                    continue
                if not data:
                    self._drop(client, "closed" if not self.done[client.index] else None)
                    continue
                client.buffer += data
                self._consume(client)

    def _consume(self, client):
        """Takes whole chunks from the buffer."""
        while True:
            head, mark, rest = client.buffer.partition(b"\r\n")
            if not mark:
                return
            size = int(head.split(b";")[0], 16)
            if len(rest) < size + 2:
                return
            client.events += rest[:size]
            client.buffer = rest[size + 2:]
            if size == 0:
                if not self.done[client.index]:
                    self.broken.append((client.index, "ended without [DONE]"))
                self._selector.unregister(client.socket)
                client.close()
                return
            while b"\n\n" in client.events:
                event, client.events = client.events.split(b"\n\n", 1)
                self._event(client, event.decode().removeprefix("data: "))

    def _event(self, client, text):
        if text == "[DONE]":
            self.done[client.index] = True
        elif int(text) != self.next[client.index]:
            self.broken.append((client.index, f"got {text}, expected {self.next[client.index]}"))
        else:
            self.next[client.index] += 1

    def _drop(self, client, why):
        if why:
            self.broken.append((client.index, why))
        self._selector.unregister(client.socket)
        client.close()

    @property
    def open(self):
        return len(self._selector.get_map() or {})

    def close(self):
        self._halt.set()
        self._thread.join(10)
        for client in self._clients:
            client.close()


_HELD = []


def free_port():
    """A TCP port of 127.0.0.1 for a program that cannot bind port 0. It stays bound here, without listening, until the tests
    end: so the kernel gives it to nobody else, neither a listener nor a client of the tests that run beside this one. With
    SO_REUSEADDR, which every server sets, one that names the port may still have it (socket(7), ip(7))."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("127.0.0.1", 0))
    _HELD.append(sock)
    return sock.getsockname()[1]
