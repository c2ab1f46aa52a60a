"""Requests to etcd's JSON gateway from one thread, as many at once as are wanted and each begun when it is due: for a bench."""
import base64
import contextlib
import heapq
import itertools
import json
import selectors
import socket
import time

READ = 1 << 20


def text(data):
    return base64.b64encode(data if isinstance(data, bytes) else data.encode()).decode()


def end_of(key):
    """Of all keys with the prefix."""
    return text(key[:-1].encode() + bytes([key.encode()[-1] + 1]))


def put(key, value, lease=None):
    """The transaction that writes one key, without anything compared."""
    return transaction([], [(key, value, lease)])


def transaction(compares, puts):
    success = [{"request_put": {"key": text(key), "value": text(value), **({"lease": lease} if lease else {})}} for key, value, lease in puts]
    return json.dumps({"compare": compares, "success": success, "failure": []}).encode()


def request(path, body, open_end=False):
    length = "Transfer-Encoding: chunked\r\nConnection: close" if open_end else f"Content-Length: {len(body)}"
    head = f"POST {path} HTTP/1.1\r\nHost: etcd\r\nContent-Type: application/json\r\nGrpc-Metadata-hasleader: true\r\n{length}\r\n\r\n"
    return head.encode() + (chunk(body) if open_end else body)


def chunk(body):
    return b"%x\r\n%s\r\n" % (len(body), body)


class Connection:
    """One socket. `heard`, of a watch: called with every piece of its answer."""

    def __init__(self, wire, fresh=False, heard=None):
        self.wire, self.fresh, self.heard = wire, fresh, heard
        self.socket, self.out, self.answer, self.done, self.began, self.asks = None, memoryview(b""), bytearray(), None, 0, []

    def _open(self):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.connect_ex(self.wire.address)
        self.wire.selector.register(self.socket, selectors.EVENT_WRITE, self)

    def close(self):
        if self.socket:
            self.wire.selector.unregister(self.socket)
            self.socket.close()
            self.socket = None

    def ask(self, path, body, done):
        """One after the other; done(status, body, seconds)."""
        if self.done:
            self.asks.append((path, body, done))
            return
        self.done, self.began = done, time.monotonic()
        if self.socket:
            self.say(request(path, body))
        else:
            self.out = memoryview(request(path, body, self.heard is not None))
            self._open()

    def say(self, data):
        if not self.socket:
            return
        self.out = memoryview(bytes(self.out) + data)
        self.ready(selectors.EVENT_WRITE)

    def ready(self, events):
        try:
            if events & selectors.EVENT_WRITE and self.out:
                self.out = self.out[self.socket.send(self.out):]
                self.wire.selector.modify(self.socket, selectors.EVENT_READ | (selectors.EVENT_WRITE if self.out else 0), self)
            if events & selectors.EVENT_READ:
                self._receive()
        except BlockingIOError:
            self.wire.selector.modify(self.socket, selectors.EVENT_READ | selectors.EVENT_WRITE, self)
        except OSError as error:
            self._finish(0, repr(error).encode())

    def _receive(self):
        count = self.socket.recv_into(self.wire.room)
        piece = bytes(memoryview(self.wire.room)[:count])
        self.wire.received += count
        if self.heard and count:
            self.heard(piece)
            return
        self.answer += piece
        head, found, body = self.answer.partition(b"\r\n\r\n")
        chunked = b"\r\nTransfer-Encoding: chunked" in head
        length = None if chunked else int((head + b"\r\n").partition(b"\r\nContent-Length: ")[2].partition(b"\r\n")[0] or -1)
        if found and (body.endswith(b"0\r\n\r\n") if chunked else len(body) == length):
            self._finish(int(head[9:12]), bytes(body))
        elif not count:
            self._finish(0, b"the connection was closed")

    def _finish(self, status, body):
        done, self.done, self.answer = self.done, None, bytearray()
        if self.fresh or not status:
            self.close()
            self.out = memoryview(b"")
        if done:
            done(status, body, time.monotonic() - self.began)
        if self.asks and not self.done:
            self.ask(*self.asks.pop(0))


class Wire:
    """The loop: what is due, and what is ready. `late`: how long after its time each thing was begun."""

    def __init__(self, address):
        self.address, self.selector, self.room = address, selectors.DefaultSelector(), bytearray(READ)
        self.received, self.late, self._due, self._numbers = 0, [], [], itertools.count()

    def at(self, when, what):
        heapq.heappush(self._due, (when, next(self._numbers), what))

    def every(self, first, seconds, what):
        def again(when=first):
            self.at(when + seconds, lambda: again(when + seconds))
            what()
        self.at(first, again)

    def also(self, file, ready):
        self.selector.register(file, selectors.EVENT_READ, ready)

    def ask(self, path, body, done):
        """On a connection of its own, as the daemon does what must not come twice."""
        Connection(self, fresh=True).ask(path, body, done)

    def run(self, until):
        while not until():
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                when, _, what = heapq.heappop(self._due)
                self.late.append(time.monotonic() - when)
                what()
            wait = self._due[0][0] - time.monotonic() if self._due else 1
            for key, events in self.selector.select(max(0, min(wait, 1))):
                with contextlib.suppress(KeyError):  # it was closed by one before it
                    (key.data.ready if isinstance(key.data, Connection) else key.data)(events)
