"""Judges a proxy message by message: a strict origin behind it, raw bytes in front of it.

Every case has a token of its own in its targets ({T} in the data), so that many run at once on shared upstream
connections and each still knows what of it reached the origin. The origin reads as RFC 9112 demands and nothing else;
bytes it cannot read are a violation of the proxy's, whoever sent them."""
import json
import os
import re
import socket
import threading
import time

from .scale import patience

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "data", "conformance")
SPLITS = ("none", "half", "byte", "head")
TOKEN = re.compile(r"-(c[0-9a-z]+)c")


def load(name):
    """The cases, with runs like {a*200} written out."""
    with open(os.path.join(DATA, name + ".json"), encoding="utf-8") as file:
        cases = json.load(file)
    for case in cases:
        case["raw"] = re.sub(r"\{(\r\n|[^{}])\*(\d+)\}", lambda m: m[1] * int(m[2]), case["raw"])
    return cases


class Violation(Exception):
    """Bytes that are no HTTP/1.1 request."""


class Forwarded:
    def __init__(self, head, target, body):
        self.head, self.target, self.body = head, target, body


HEAD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP/1\.1\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r\n)*)\r\n")
SIZE = re.compile(rb"([0-9a-fA-F]{1,16})\r\n")


class Origin:
    """Answers every request with its own target; a target /r-… gets the scripted bytes of its case."""

    def __init__(self):
        self.scripts, self.seen, self.violations = {}, {}, []
        self.lock = threading.Lock()
        self.live = set()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for sock in list(self.live):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
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
        except OSError:
            pass
        finally:
            self.live.discard(sock)
            sock.close()

    def _one(self, sock, reader):
        head = reader.head()
        if not head:
            return False
        match = HEAD.fullmatch(head)
        if not match:
            raise Violation(f"not a request head: {head[:300]!r}")
        method, target = match[1].decode(), match[2].decode("latin-1")
        fields = {}
        for line in match[3].split(b"\r\n")[:-1]:
            name, value = line.split(b":", 1)
            fields.setdefault(name.decode().lower(), []).append(value.strip(b" \t").decode("latin-1"))
        body = reader.body(sock, fields, head)
        token = TOKEN.search(target) or TOKEN.search(fields["host"][0])
        if not token:
            raise Violation(f"a request of nobody's: {head[:300]!r}")
        with self.lock:
            self.seen.setdefault(token[1], []).append(Forwarded(head.decode("latin-1"), target, body))
            script = self.scripts.get(token[1]) if target.startswith("/r-") else None
        if script:
            sock.sendall(script["raw"].encode("latin-1"))
            return not script.get("close")
        answer = f"{method} {target}".encode("latin-1")
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(answer) + (b"" if method == "HEAD" else answer))
        return True

    def of(self, token):
        with self.lock:
            return list(self.seen.get(token, ()))


class _Reader:
    def __init__(self, sock):
        self.sock, self.bytes = sock, b""

    def more(self, in_message):
        data = self.sock.recv(65536)
        if not data and in_message and self.bytes:
            raise OSError("the proxy broke off, which it may")
        self.bytes += data
        return bool(data)

    def take(self, count):
        while len(self.bytes) < count:
            if not self.more(True):
                raise OSError("broken off")
        taken, self.bytes = self.bytes[:count], self.bytes[count:]
        return taken

    def line(self):
        while b"\n" not in self.bytes:
            if not self.more(True):
                raise OSError("broken off")
        return self.take(self.bytes.index(b"\n") + 1)

    def head(self):
        while b"\r\n\r\n" not in self.bytes:
            if not self.more(False):
                if self.bytes:
                    raise Violation(f"an unfinished head: {self.bytes[:300]!r}")
                return None
        return self.take(self.bytes.index(b"\r\n\r\n") + 4)

    def body(self, sock, fields, head):
        lengths, codings = fields.get("content-length", []), fields.get("transfer-encoding", [])
        if len(fields.get("host", [])) != 1:
            raise Violation(f"not one Host: {head[:300]!r}")
        if len(lengths) + len(codings) > 1 or any(not re.fullmatch("[0-9]{1,18}", v) for v in lengths) or \
                any(v != "chunked" for v in codings):
            raise Violation(f"ambiguous framing: {head[:300]!r}")
        if "expect" in fields:
            sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not codings:
            return self.take(int(lengths[0]) if lengths else 0)
        body = b""
        while True:
            size = SIZE.fullmatch(self.line())
            if not size:
                raise Violation(f"a malformed chunk after {head[:300]!r}")
            data = self.take(int(size[1], 16))
            if not data:
                break
            body += data
            if self.take(2) != b"\r\n":
                raise Violation("a chunk without its end")
        while (line := self.line()) != b"\r\n":
            if not re.fullmatch(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r\n", line):
                raise Violation(f"a malformed trailer: {line!r}")
        return body


class Line:
    """The client's connection, plain or made by `wrap` (TLS)."""

    def __init__(self, address, wrap=None):
        raw = socket.create_connection(address, timeout=patience(15))
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = wrap(raw) if wrap else raw
        self.bytes, self.ended = b"", False

    def send(self, data, split):
        cuts = []
        if split == "half":
            cuts = [len(data) // 2]
        elif split == "head" and 0 <= data.find(b"\r\n\r\n") < len(data) - 4:
            cuts = [data.index(b"\r\n\r\n") + 4]
        elif split == "byte":
            cuts = list(range(1, len(data)))
        if len(data) > 2000:
            cuts = cuts[:1] + cuts[1::997]
        at = 0
        try:
            for cut in cuts + [len(data)]:
                self.sock.sendall(data[at:cut])
                at = cut
                time.sleep(0.0002 if split == "byte" else 0.02 if cut < len(data) else 0)
        except OSError:
            pass  # refused already: the answer says so

    def fill(self):
        try:
            data = self.sock.recv(65536)
        except TimeoutError:
            raise AssertionError(f"neither an answer nor an end; so far {self.bytes[:300]!r}") from None
        except OSError:
            data = b""
        self.ended = self.ended or not data
        self.bytes += data
        return bool(data)

    def answer(self, method="GET"):
        """The next final answer: (status, head, body, complete); None at the connection's end."""
        while True:
            while b"\r\n\r\n" not in self.bytes:
                if not self.fill():
                    return None
            at = self.bytes.index(b"\r\n\r\n") + 4
            head, self.bytes = self.bytes[:at].decode("latin-1"), self.bytes[at:]
            status = int(re.match(r"HTTP/1\.1 ([0-9]{3}) ", head)[1])
            if status >= 200:
                body, complete = self._body(status, head, method)
                return status, head, body, complete

    def _body(self, status, head, method):
        if method == "HEAD" or status in (204, 304):
            return b"", True
        if re.search(r"(?i)\r\ntransfer-encoding: chunked\r", head):
            return self._chunks()
        length = re.search(r"(?i)\r\ncontent-length: ([0-9]+)\r", head)
        while not length or len(self.bytes) < int(length[1]):
            if not self.fill():
                body, self.bytes = self.bytes, b""
                return body, not length
        body, self.bytes = self.bytes[:int(length[1])], self.bytes[int(length[1]):]
        return body, True

    def _chunks(self):
        body = b""
        while True:
            while b"\r\n" not in self.bytes:
                if not self.fill():
                    return body, False
            size, self.bytes = self.bytes.split(b"\r\n", 1)
            count = int(size, 16)
            while len(self.bytes) < count + 2:
                if not self.fill():
                    return body + self.bytes, False
            body += self.bytes[:count]
            self.bytes = self.bytes[count + 2:]
            if not count:
                return body, True

    def at_end(self):
        while not self.ended:
            self.fill()
        return not self.bytes

    def close(self):
        self.sock.close()


def _steps(outcome):
    return outcome if isinstance(outcome, list) else [outcome]


def judge_request(case, token, split, line, origin):
    """What is wrong, as a list of sentences."""
    wrong = []
    raw = case["raw"].replace("{T}", token).encode("latin-1")
    method = raw.lstrip(b"\r\n").split(b" ")[0].decode("latin-1")
    methods = re.findall(r"(?:^|\n)(HEAD|GET|POST) /t", raw.decode("latin-1")) or [method]
    line.send(raw, split)
    if case.get("half_close"):
        line.sock.shutdown(socket.SHUT_WR)
    steps = [step for step in _steps(case["outcome"]) for _ in range(case.get("count", 1) if step == "served" else 1)]
    refused = False
    for number, step in enumerate(steps):
        answer = line.answer(methods[number] if number < len(methods) else "GET")
        if step == "closed":
            refused = True
            if answer:
                wrong.append(f"answered {answer[0]} instead of closing")
        elif not answer:
            wrong.append(f"closed without answer {number + 1}")
            return wrong
        elif step == "served":
            if answer[0] != 200 or not answer[3] or "X-Sluice-Error" in answer[1]:
                wrong.append(f"answer {number + 1} is {answer[0]} {answer[1]!r}")
        elif answer[0] != step:
            wrong.append(f"answer {number + 1} is {answer[0]}, not {step}")
        if isinstance(step, int) and step >= 400:
            refused = True
            if answer and not re.search(r"\r\nX-Sluice-Error: [a-z0-9_]+\r\n", answer[1]):
                wrong.append("the refusal gives no reason")
    if wrong:
        return wrong
    closing = case.get("closes") or refused or re.search(rb"(?i)\r\nconnection: [^\r]*close", raw)
    if closing:
        if not line.at_end():
            wrong.append(f"more came after the last answer: {line.bytes[:200]!r}")
    else:  # both sides agree where the message ended: the next request is understood
        line.send(f"GET /next-{token} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n".encode(), "none")
        answer = line.answer()
        if not answer or answer[2] != f"GET /next-{token}".encode():
            wrong.append(f"the next request is answered {answer}")
    return wrong + judge_forwarded(case, steps, token, origin)


def judge_forwarded(case, steps, token, origin):
    wrong = []
    forwarded = [f for f in origin.of(token) if not f.target.startswith("/next-")]
    if len(forwarded) != steps.count("served"):
        wrong.append(f"{len(forwarded)} requests reached the origin: {[f.target for f in forwarded]}")
    if any("smuggled" in f.target for f in forwarded):
        wrong.append("SMUGGLED")
    whole = "".join(f.head + f.body.decode("latin-1") for f in forwarded)
    for pattern in case.get("must", ()):
        if forwarded and not re.search(pattern, whole, re.S | re.I):
            wrong.append(f"{pattern} was not forwarded: {whole!r}")
    for pattern in case.get("must_not", ()):
        if re.search(pattern, whole, re.S | re.I):
            wrong.append(f"{pattern} was forwarded: {whole!r}")
    if "body" in case and (not forwarded or forwarded[0].body != case["body"].encode()):
        wrong.append(f"the body is {[f.body for f in forwarded]}")
    return wrong


def judge_response(case, token, line, origin):
    wrong = []
    method = case.get("method", "GET")
    origin.scripts[token[:-1]] = case
    line.send(f"{method} /r-{token} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode(), "none")
    answer = line.answer(method)
    outcome, body = case["outcome"], case.get("body", "").encode()
    if not answer:
        return ["closed without an answer"]
    status, head, got, complete = answer
    own = "X-Sluice-Error" in head
    if outcome == "bad_gateway" and (status, own) != (502, True):
        wrong.append(f"answered {status} {got!r}")
    if outcome == "deliver" and (status, own, complete, got) != (200, False, True, body):
        wrong.append(f"answered {status}, complete={complete}: {got!r}")
    if outcome == "truncate" and not (status == 502 and own) and (complete or not line.at_end()):
        wrong.append(f"looks whole to the client: {status} {got!r}")
    if outcome == "no_poison" and (status != case["status"] or got):
        wrong.append(f"answered {status} {got!r}")
    for pattern in case.get("client_must_not", ()):
        if re.search(pattern, head if status != 502 else "", re.S | re.I):
            wrong.append(f"{pattern} reached the client")
    if not line.ended and "\r\nConnection: close\r\n" not in head and outcome != "truncate":
        line.send(f"GET /after-{token} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode(), "none")
        after = line.answer()
        if not after or after[2] != f"GET /after-{token}".encode():
            wrong.append(f"the next request is answered {after}")
    return wrong


def judge_all(kind, cases, splits, address, origin, wrap=None, threads=16):
    """Runs every case in every split; returns ["ID split: what is wrong", …]."""
    jobs = [(case, split) for case in cases for split in splits]
    wrong, lock = [], threading.Lock()
    count = iter(range(len(jobs)))

    def work():
        while True:
            with lock:
                number = next(count, None)
            if number is None:
                return
            case, split = jobs[number]
            token = f"c{kind[0]}{split[0]}{number}{'t' if wrap else 'p'}c"
            try:
                line = Line(address, wrap)
                try:
                    name = token[:-1]
                    found = judge_response(case, token, line, origin) if kind == "responses" else \
                        judge_request(case, token, split, line, _Named(origin, name))
                finally:
                    line.close()
            except (AssertionError, OSError, ValueError) as error:
                found = [f"{type(error).__name__}: {error}"]
            with lock:
                wrong.extend(f"{case['id']} {split}: {text} | {case['why']}" for text in found)
    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sorted(wrong)


class _Named:
    """The origin, asked by the name it knows the token by."""

    def __init__(self, origin, name):
        self.origin, self.name = origin, name

    def of(self, _token):
        return self.origin.of(self.name)
