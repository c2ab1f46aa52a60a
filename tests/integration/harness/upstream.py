"""An upstream server in threads whose behaviour a test writes as a function of the request.

    def handler(request, reply):
        reply.send(200, b"hello")

Everything it sees (heads, bodies up to 1 MiB, connections) is recorded. A handler runs on its connection's thread and
may block: on an event of the test, or until the proxy hangs up.
"""
import hashlib
import socket
import struct
import threading


class Closed(Exception):
    """The peer closed or reset the connection."""


class Request:
    def __init__(self, connection, number, method, target, version, headers):
        self.connection = connection  # index of the connection it came on
        self.number = number          # among all requests of the server, from 0
        self.method, self.target, self.version = method, target, version
        self.headers = headers        # (name, value) as they came
        self.body = None
        self.body_bytes = 0
        self.body_sha = None
        self.chunked = False

    def header(self, name):
        """The values of all fields of that name, joined by ", "; None when there is none."""
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        return ", ".join(values) if values else None

    @property
    def path(self):
        return self.target.split("?")[0]


class Reply:
    """What a handler answers with. Any send raises Closed when the proxy has gone."""

    def __init__(self, connection, request):
        self._connection = connection
        self._request = request
        self.close_after = False

    def over(self):
        """The request counts as no longer in flight: before the last byte goes, so that whoever has it sees that too."""
        self._connection.over(self._request)

    def raw(self, data):
        try:
            self._connection.socket.sendall(data)
        except OSError as error:
            raise Closed() from error

    def head(self, status=200, headers=(), reason="X"):
        lines = [f"HTTP/1.1 {status} {reason}"] + [f"{n}: {v}" for n, v in headers]
        self.raw(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))

    def send(self, status=200, body=b"", headers=()):
        """A whole answer with a Content-Length (none on 204, 304)."""
        if isinstance(body, str):
            body = body.encode()
        fields = list(headers)
        if status not in (204, 304) and status >= 200 and not any(n.lower() == "content-length" for n, _ in fields):
            fields.append(("Content-Length", len(body)))
        lines = [f"HTTP/1.1 {status} X"] + [f"{n}: {v}" for n, v in fields]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        if status >= 200:
            self.over()
        self.raw(head + (b"" if self._request.method == "HEAD" else body))

    def begin_chunked(self, status=200, headers=()):
        self.head(status, list(headers) + [("Transfer-Encoding", "chunked")])

    def chunk(self, data):
        self.raw(b"%x\r\n" % len(data) + data + b"\r\n")

    def end_chunked(self):
        self.over()
        self.raw(b"0\r\n\r\n")

    def begin_sse(self):
        self.begin_chunked(200, [("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache")])

    def event(self, data):
        self.chunk(f"data: {data}\n\n".encode())

    def close(self):
        self.close_after = True
        raise Closed()

    def reset(self):
        """Closes with RST."""
        self._connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.socket.close()
        raise Closed()

    def hang_up_after(self, seconds):
        """Closes the connection that much later, whatever is on it by then."""
        def hang_up():
            try:
                self._connection.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        threading.Timer(seconds, hang_up).start()

    def wait_closed(self, timeout=15):
        """Blocks until the proxy has closed the connection; True when it did in time."""
        self._connection.socket.settimeout(timeout)
        try:
            while self._connection.socket.recv(65536):
                pass
            return True
        except TimeoutError:
            return False
        except OSError:
            return True

    def hang(self, timeout=15):
        """Answers nothing until the proxy closes the connection."""
        self.wait_closed(timeout)
        raise Closed()


class _Connection:
    def __init__(self, server, sock, index):
        self.over = server.over
        self.socket = sock
        self.index = index
        self.buffer = b""

    def _fill(self):
        try:
            data = self.socket.recv(262144)
        except OSError as error:
            raise Closed() from error
        if not data:
            raise Closed()
        self.buffer += data

    def until(self, mark):
        while mark not in self.buffer:
            self._fill()
        found, self.buffer = self.buffer.split(mark, 1)
        return found

    def exactly(self, count):
        """Yields `count` bytes in pieces."""
        while count:
            if not self.buffer:
                self._fill()
            piece, self.buffer = self.buffer[:count], self.buffer[count:]
            count -= len(piece)
            yield piece


class Upstream:
    """Owns a listening socket and the threads behind it: on 127.0.0.1, another address, or a unix socket's path. stop()
    ends everything."""

    KEEP_BODY = 1 << 20

    def __init__(self, name="up", handler=None, port=0, host="127.0.0.1"):
        self.name = name
        self.handler = handler or self.answer_name
        self.requests = []
        self.connections = 0
        self.open = 0
        self.most_inflight = 0
        self.inflight = 0
        self.read_body = True      # False: the handler gets request.pieces instead
        self.unexpected = []       # exceptions of handlers: a test's own mistakes
        self._lock = threading.Lock()
        self._live = set()
        self._stopping = False
        self.host = host
        self._listener = self._listen(port)
        self.port = 0 if host.startswith("/") else self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _listen(self, port):
        if not self.host.startswith("/"):
            family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            return socket.create_server((self.host, port), family=family, backlog=1024)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(self.host)
        listener.listen(1024)
        return listener

    @property
    def url(self):
        if self.host.startswith("/"):
            return "unix:" + self.host
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    def answer_name(self, request, reply):
        reply.send(200, self.name)

    @property
    def count(self):
        return len(self.requests)

    def stop(self):
        """Closes the listener and every connection (a port that then refuses)."""
        self._stopping = True
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        self._thread.join(5)
        self.close_connections()

    def close_connections(self):
        with self._lock:
            live = list(self._live)
        for connection in live:
            try:
                connection.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while not self._stopping:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if sock.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                connection = _Connection(self, sock, self.connections)
                self.connections += 1
                self.open += 1
                self._live.add(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            while self._one(connection):
                pass
        except Closed:
            pass
        except Exception as error:  # noqa: BLE001 - reported to the test by conftest
            self.unexpected.append(error)
        finally:
            with self._lock:
                self.open -= 1
                self._live.discard(connection)
            connection.socket.close()

    def _one(self, connection):
        lines = connection.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        method, target, version = lines[0].split(" ", 2)
        headers = [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]]
        with self._lock:
            request = Request(connection.index, len(self.requests), method, target, version, headers)
            self.requests.append(request)
            request.in_flight = True
            self.inflight += 1
            self.most_inflight = max(self.most_inflight, self.inflight)
        try:
            request.pieces = self._pieces(connection, request)
            if self.read_body:
                self._collect(request)
            reply = Reply(connection, request)
            self.handler(request, reply)
            if not self.read_body:
                for _ in request.pieces:
                    pass
            return not reply.close_after and (request.header("Connection") or "").lower() != "close"
        finally:
            self.over(request)

    def over(self, request):
        with self._lock:
            self.inflight -= request.in_flight
            request.in_flight = False

    def _pieces(self, connection, request):
        if (request.header("Expect") or "").lower() == "100-continue":
            try:
                connection.socket.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            except OSError as error:
                raise Closed() from error
        if (request.header("Transfer-Encoding") or "").lower() == "chunked":
            request.chunked = True
            while True:
                size = int(connection.until(b"\r\n").split(b";")[0], 16)
                yield from connection.exactly(size)
                connection.until(b"\r\n")
                if not size:
                    return
        yield from connection.exactly(int(request.header("Content-Length") or 0))

    def _collect(self, request):
        sha = hashlib.sha256()
        kept = []
        for piece in request.pieces:
            request.body_bytes += len(piece)
            sha.update(piece)
            if request.body_bytes <= self.KEEP_BODY:
                kept.append(piece)
        request.body = b"".join(kept)
        request.body_sha = sha.hexdigest()
