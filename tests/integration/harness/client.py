"""A client that shows every byte: raw sockets, one connection an object, every wait bounded."""
import json
import socket
import struct

from .scale import patience


class Cut(Exception):
    """The connection ended before the message did."""


class Response:
    def __init__(self, status, reason, version, headers):
        self.status, self.reason, self.version, self.headers = status, reason, version, headers
        self.body = b""
        self.interim = []  # status codes of 1xx answers before it

    def header(self, name):
        values = [v for n, v in self.headers if n.lower() == name.lower()]
        return ", ".join(values) if values else None

    def all(self, name):
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def json(self):
        return json.loads(self.body)

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def variant(self):
        return self.header("X-Sluice-Variant")

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:200]!r}>"


class Client:
    """One connection, to (host, port) or to the path of a unix socket. Use as a context manager."""

    def __init__(self, address, timeout=15, receive_buffer=None, source=None):
        unix = isinstance(address, str)
        family = socket.AF_UNIX if unix else socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(patience(timeout))
        if source:
            self.socket.bind((source, 0))
        self.socket.connect(address)
        if not unix:
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.address = address
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))

    def request(self, method="GET", target="/", headers=(), body=None, host=None):
        """Sends one request; a body gets a Content-Length unless the headers frame it."""
        self.send(self.render(method, target, headers, body, host))

    def render(self, method="GET", target="/", headers=(), body=None, host=None):
        fields = list(headers.items() if isinstance(headers, dict) else headers)
        names = {n.lower() for n, _ in fields}
        lines = [f"{method} {target} HTTP/1.1"]
        if "host" not in names:
            lines.append(f"Host: {host or ('localhost' if isinstance(self.address, str) else '%s:%d' % self.address)}")
        lines += [f"{n}: {v}" for n, v in fields]
        if isinstance(body, str):
            body = body.encode()
        if body is not None and not names & {"content-length", "transfer-encoding"}:
            lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + (body or b"")

    def _fill(self):
        data = self.socket.recv(262144)
        if not data:
            raise Cut(f"closed with {self.buffer[:200]!r} unread")
        self.buffer += data

    def until(self, mark):
        while mark not in self.buffer:
            self._fill()
        found, self.buffer = self.buffer.split(mark, 1)
        return found

    def exactly(self, count):
        while len(self.buffer) < count:
            self._fill()
        found, self.buffer = self.buffer[:count], self.buffer[count:]
        return found

    def head(self):
        """Reads one response head (1xx too)."""
        lines = self.until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        version, status, reason = (lines[0].split(" ", 2) + [""])[:3]
        return Response(int(status), reason, version,
                        [tuple(part.strip() for part in line.split(":", 1)) for line in lines[1:]])

    def final_head(self):
        interim = []
        while True:
            response = self.head()
            if response.status >= 200:
                response.interim = interim
                return response
            interim.append(response.status)

    def chunk(self):
        """One chunk of a chunked body; b"" at its end."""
        size = int(self.until(b"\r\n").split(b";")[0], 16)
        data = self.exactly(size)
        self.until(b"\r\n")
        return data

    def pieces(self, response, method="GET"):
        """The body as it comes."""
        if method == "HEAD" or response.status in (204, 304):
            return
        if (response.header("Transfer-Encoding") or "").lower() == "chunked":
            while data := self.chunk():
                yield data
        elif response.header("Content-Length") is not None:
            left = int(response.header("Content-Length"))
            while left:
                if not self.buffer:
                    self._fill()
                piece, self.buffer = self.buffer[:left], self.buffer[left:]
                left -= len(piece)
                yield piece
        else:
            while True:
                if self.buffer:
                    piece, self.buffer = self.buffer, b""
                    yield piece
                data = self.socket.recv(262144)
                if not data:
                    return
                self.buffer += data

    def response(self, method="GET"):
        response = self.final_head()
        response.body = b"".join(self.pieces(response, method))
        return response

    def ask(self, method="GET", target="/", headers=(), body=None, host=None):
        self.request(method, target, headers, body, host)
        return self.response(method)

    def event(self):
        """The next server-sent event's data (the events of chunked streams, however they are cut)."""
        while b"\n\n" not in self.events:
            data = self.chunk()
            if not data:
                raise Cut("end of the stream")
            self.events += data
        event, self.events = self.events.split(b"\n\n", 1)
        return event.decode().removeprefix("data: ")

    events = b""

    def closed(self, timeout=10):
        """True when the peer closes within the time, without another byte."""
        self.socket.settimeout(patience(timeout))
        try:
            return not self.buffer and self.socket.recv(1) == b""
        except ConnectionError:
            return True
        except TimeoutError:
            return False


def ask(address, method="GET", target="/", headers=(), body=None, host=None, timeout=15):
    """One request on a connection of its own."""
    with Client(address, timeout) as client:
        return client.ask(method, target, headers, body, host)
