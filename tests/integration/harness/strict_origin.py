"""An origin that reads requests as RFC 9112 demands and nothing else: what it cannot read is a violation of the proxy's,
whoever sent it. It answers with what it read, or with the bytes of a script."""
import re
import socket
import threading
import time

FIELDS = rb"((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r\n)*)"
HEAD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/1\.1\r\n" + FIELDS + rb"\r\n")
TRAILER = re.compile(FIELDS + rb"\r\n")
SIZE = re.compile(rb"([0-9a-fA-F]{1,16})\r\n")
SPLITS = ("none", "half", "byte", "head")


def cut(data, split):
    """The pieces in which `data` is sent: at once, in halves, byte by byte, or the head apart from the rest."""
    at = []
    if split == "half":
        at = [len(data) // 2]
    elif split == "head" and 0 <= data.find(b"\r\n\r\n") < len(data) - 4:
        at = [data.index(b"\r\n\r\n") + 4]
    elif split == "byte":  # of long ones every 997th: a packet a byte would take its time
        at = range(1, len(data), 1 if len(data) <= 2000 else 997)
    ends = [0, *at, len(data)]
    return [data[begin:end] for begin, end in zip(ends, ends[1:])]


def send_pieces(send, data, split):
    pieces = cut(data, split)
    for piece in pieces:
        send(piece)
        if len(pieces) > 1:  # so that they arrive apart; nothing depends on whether they do
            time.sleep(0.0002 if split == "byte" else 0.01)


class Violation(Exception):
    """Bytes that are no HTTP/1.1 request."""


class Broken(Exception):
    """The proxy ended the connection in the middle of a message, which it may."""


class Forwarded:
    def __init__(self, head, method, target, fields, body):
        self.head, self.method, self.target, self.fields, self.body = head, method, target, fields, body


class Script:
    """Bytes to answer a request with, instead of an echo. `spoils`: the proxy must not use the connection again."""

    def __init__(self, raw, split="none", close=False, spoils=False):
        self.raw, self.split, self.close, self.spoils = raw, split, close, spoils


class StrictOrigin:
    """`owner(request)` names whom a request belongs to; None: nobody, a violation."""

    def __init__(self, owner):
        self.owner = owner
        self.scripts, self.seen, self.violations = {}, {}, []
        self.lock = threading.Lock()
        self.live = set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in list(self.live):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def of(self, owner):
        """The requests of that owner, in their order."""
        with self.lock:
            return list(self.seen.get(owner, ()))

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.live.add(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        reader = _Reader(sock)
        try:
            while self._one(sock, reader):
                pass
        except Violation as error:
            with self.lock:
                self.violations.append(str(error))
        except (Broken, OSError):
            pass
        finally:
            self.live.discard(sock)
            sock.close()

    def _one(self, sock, reader):
        request = reader.request()
        if not request:
            return False
        owner = self.owner(request)
        if owner is None:
            raise Violation(f"a request of nobody's: {request.head[:300]!r}")
        with self.lock:
            self.seen.setdefault(owner, []).append(request)
            script = self.scripts.get(owner) if request.target.startswith("/r-") else None
        if script:
            return self._play(sock, reader, script)
        answer = f"{request.method} {request.target}".encode("latin-1")
        sock.sendall(b"HTTP/1.1 200 OK\r\nX-Origin: 1\r\nContent-Length: %d\r\n\r\n" % len(answer) +
                     (b"" if request.method == "HEAD" else answer))
        return True

    @staticmethod
    def _play(sock, reader, script):
        send_pieces(sock.sendall, script.raw, script.split)
        if script.close:
            return False
        if script.spoils and reader.more():
            raise Violation(f"the connection is used after {script.raw[:200]!r}")
        return not script.spoils


class _Reader:
    def __init__(self, sock):
        self.sock, self.bytes = sock, b""

    def more(self):
        data = self.sock.recv(65536)
        self.bytes += data
        return bool(data)

    def _need(self):
        if not self.more():
            raise Broken()

    def _take(self, count):
        while len(self.bytes) < count:
            self._need()
        taken, self.bytes = self.bytes[:count], self.bytes[count:]
        return taken

    def _line(self):
        while b"\n" not in self.bytes:
            self._need()
        return self._take(self.bytes.index(b"\n") + 1)

    def _head(self):
        while b"\r\n\r\n" not in self.bytes:
            if not self.more():
                if self.bytes:
                    raise Violation(f"an unfinished head: {self.bytes[:300]!r}")
                return None
        return self._take(self.bytes.index(b"\r\n\r\n") + 4)

    def request(self):
        """The next request, or None at the end of the connection."""
        head = self._head()
        if head is None:
            return None
        match = HEAD.fullmatch(head)
        if not match:
            raise Violation(f"not a request head: {head[:300]!r}")
        fields = {}
        for line in match[3].split(b"\r\n")[:-1]:
            name, value = line.split(b":", 1)
            fields.setdefault(name.decode().lower(), []).append(value.strip(b" \t").decode("latin-1"))
        if len(fields.get("host", [])) != 1:
            raise Violation(f"not one Host: {head[:300]!r}")
        return Forwarded(head.decode("latin-1"), match[1].decode(), match[2].decode(), fields, self._body(fields, head))

    def _body(self, fields, head):
        lengths, codings = fields.get("content-length", []), fields.get("transfer-encoding", [])
        if len(lengths) + len(codings) > 1 or any(not re.fullmatch("[0-9]{1,18}", v) for v in lengths) or \
                any(v != "chunked" for v in codings):
            raise Violation(f"ambiguous framing: {head[:300]!r}")
        if "expect" in fields:
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not codings:
            return self._take(int(lengths[0]) if lengths else 0)
        body = b""
        while True:
            size = SIZE.fullmatch(self._line())
            if not size:
                raise Violation(f"a malformed chunk after {head[:300]!r}")
            data = self._take(int(size[1], 16))
            if not data:
                break
            body += data
            if self._take(2) != b"\r\n":
                raise Violation("a chunk without its end")
        trailers = self._line()
        while not trailers.endswith(b"\r\n\r\n") and trailers != b"\r\n":
            trailers += self._line()
        if not TRAILER.fullmatch(trailers):
            raise Violation(f"malformed trailers: {trailers!r}")
        return body
