"""Judges a proxy message by message: a strict origin behind it, raw bytes in front of it.

The cases stand in tests/data/conformance (README.md there says how to read them). Each has a token of its own in its
targets ({T} in the data), so that many run at once on shared upstream connections and each still knows what of it
reached the origin."""
import itertools
import json
import os
import re
import socket
import threading

from .scale import patience
from .strict_origin import Script, StrictOrigin, send_pieces

DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "data", "conformance")
TOKEN = re.compile(r"-(c[0-9a-z]+)c")
SPOILED = ("bad_gateway", "truncate")  # what must end the upstream connection


def _file(name):
    with open(os.path.join(DATA, name + ".json"), encoding="utf-8") as file:
        return json.load(file)


def _expand(family):
    """The cases of a family: its message with every value in the place of {X}."""
    for number, value in enumerate(family["values"], 1):
        case = {key: setting for key, setting in family.items() if key != "values"}
        case["id"] = f"{family['id']}-{number:02}"
        case["raw"] = case["raw"].replace("{X}", value)
        case["why"] = f"{family['why']}: {value!r}"
        yield case


def load(name):
    """The cases of that name and of its families, with runs like {a*200} written out."""
    cases = _file(name) + [case for family in _file(name + "-families") for case in _expand(family)]
    for case in cases:
        case["raw"] = re.sub(r"\{(\r\n|[^{}]+)\*(\d+)\}", lambda m: m[1] * int(m[2]), case["raw"])
    return cases


def owner(request):
    token = TOKEN.search(request.target) or TOKEN.search(request.fields["host"][0])
    return token[1] if token else None


class Line:
    """The client's connection, plain or made by `wrap` (TLS)."""

    def __init__(self, address, wrap=None, source=None):
        raw = socket.create_connection(address, timeout=patience(15), source_address=(source, 0) if source else None)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = wrap(raw) if wrap else raw
        self.bytes, self.ended = b"", False

    def send(self, data, split="none"):
        try:
            send_pieces(self.sock.sendall, data, split)
        except OSError:
            pass  # refused already: the answer says so

    def finish(self):
        """Ends the client's side of the TCP connection; under TLS without a word of it."""
        try:
            with socket.socket(fileno=os.dup(self.sock.fileno())) as same:
                same.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # closed by the other side already

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


def steps_of(case):
    """What the client must see, answer by answer: "served", "closed" or a status."""
    outcome = case["outcome"]
    steps = outcome if isinstance(outcome, list) else [outcome]
    return [step for step in steps for _ in range(case.get("count", 1) if step == "served" else 1)]


def _judge_step(case, step, answer):
    if step == "closed":
        return [f"answered {answer[0]} instead of closing"] if answer else []
    if not answer:
        return ["closed without this answer"]
    status, head, _, complete = answer
    error = re.search(r"\r\nX-Sluice-Error: ([a-z0-9_]+)\r\n", head)
    if step == "served":
        return [] if status == 200 and complete and not error else [f"answered {status} {head!r}"]
    if status != step:
        return [f"answered {status}, not {step}"]
    if step >= 400 and (not error or error[1] != case.get("reason", error[1])):
        return [f"the reason is {error and error[1]}, not {case.get('reason')}"]
    return []


def judge_request(case, token, split, line, origin):
    """What is wrong, as a list of sentences."""
    raw = case["raw"].replace("{T}", token).encode("latin-1")
    methods = re.findall(r"(?:^|\n|hello)([A-Z]+) /t", raw.decode("latin-1"))
    line.send(raw, split)
    if case.get("half_close"):
        line.finish()
    steps = steps_of(case)
    for number, step in enumerate(steps):
        answer = line.answer(methods[number] if number < len(methods) else "GET")
        wrong = [f"answer {number + 1}: {text}" for text in _judge_step(case, step, answer)]
        if wrong:
            return wrong
    refused = steps[-1] == "closed" or (isinstance(steps[-1], int) and steps[-1] >= 400)
    if case.get("closes") or refused or re.search(rb"(?i)\r\nconnection: [^\r]*close", raw.split(b"\r\n\r\n")[0]):
        if not line.at_end():
            wrong.append(f"more came after the last answer: {line.bytes[:200]!r}")
    else:  # both sides agree where the message ended: the next request is understood
        line.send(f"GET /next-{token} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n".encode())
        answer = line.answer()
        if not answer or answer[2] != f"GET /next-{token}".encode():
            wrong.append(f"the next request is answered {answer}")
    return wrong + judge_forwarded(case, steps, origin.of(token[:-1]))


def judge_forwarded(case, steps, seen):
    wrong = []
    forwarded = [f for f in seen if not f.target.startswith("/next-")]
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
    if "body" in case and (not forwarded or forwarded[0].body != case["body"].encode("latin-1")):
        wrong.append(f"the body is {[f.body for f in forwarded]}")
    return wrong


def judge_response(case, token, split, line, origin):
    wrong = []
    method = case.get("method", "GET")
    outcome, body = case["outcome"], case.get("body", "").encode()
    # Bytes behind an answer come with it: what comes later, on a connection in use again, nobody can tell from an answer.
    extra = "EVIL" in case["raw"]
    origin.scripts[token[:-1]] = Script(case["raw"].encode("latin-1"), "none" if extra else split, case.get("close"),
                                        extra or outcome in SPOILED)
    line.send(f"{method} /r-{token} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())
    answer = line.answer(method)
    if not answer:
        return ["closed without an answer"] if outcome != "truncate" else []
    status, head, got, complete = answer
    own = "X-Sluice-Error" in head
    if outcome == "bad_gateway" and (status, own) != (502, True):
        wrong.append(f"answered {status} {got!r}")
    if outcome == "deliver" and (status, own, complete, got) != (case.get("status", 200), False, True, body):
        wrong.append(f"answered {status}, complete={complete}: {got!r}")
    if outcome == "truncate" and not (status == 502 and own) and (complete or not line.at_end()):
        wrong.append(f"looks whole to the client: {status} {got!r}")
    if outcome == "no_body" and ((status, own, got) != (case["status"], False, b"") or re.search(b"EVIL", line.bytes)):
        wrong.append(f"answered {status} {got!r} {line.bytes!r}")
    if outcome == "bad_gateway" and not case.get("retried") and len(origin.of(token[:-1])) != 1:
        wrong.append("asked twice")
    for pattern in case.get("client_must_not", ()):
        if re.search(pattern, head if not own else "", re.S | re.I):
            wrong.append(f"{pattern} reached the client")
    if not line.ended and "\r\nConnection: close\r\n" not in head and outcome != "truncate":
        line.send(f"GET /after-{token} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())
        after = line.answer()
        if not after or after[2] != f"GET /after-{token}".encode():
            wrong.append(f"the next request is answered {after}")
    return wrong


def each(jobs, work, threads=16):
    """work(number, *job) for every (label, *job), by so many threads; what it finds wrong, labelled and sorted."""
    wrong, lock, left = [], threading.Lock(), enumerate(jobs)

    def worker():
        while True:
            with lock:
                number, job = next(left, (None, None))
            if job is None:
                return
            try:
                found = work(number, *job[1:])
            except Exception as error:  # pylint: disable=broad-exception-caught
                found = [f"{type(error).__name__}: {error}"]
            with lock:
                wrong.extend(f"{job[0]}: {text}" for text in found)
    workers = [threading.Thread(target=worker) for _ in range(threads)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    return sorted(wrong)


RUN = itertools.count()  # tokens of several runs against one origin must differ


def judge_all(kind, cases, splits, address, origin, wrap=None):
    """Runs every case in every split; returns ["ID SPLIT (why): what is wrong", …]."""
    run = next(RUN)
    judge = {"requests": judge_request, "responses": judge_response}[kind]

    def work(number, case, split):
        line = Line(address, wrap)
        try:
            return judge(case, f"c{run}x{number}c", split, line, origin)
        finally:
            line.close()
    return each(((f"{case['id']} {split} ({case['why']})", case, split) for case in cases for split in splits), work)


def new_origin():
    return StrictOrigin(owner)
