"""Messages of the conformance suite with random faults. No verdict is known for them, but some things hold for any bytes.
Requests: the origin reads nothing that is no request, every request that reaches it is answered to the client that sent it,
in order, and none of that depends on how the bytes were cut. Answers: the client reads nothing that is no answer, and nobody
ever gets what was meant for another."""
import itertools
import random
import re
import time

import pytest

from harness.conformance import Line, each, load, new_origin
from harness.scale import scaled
from harness.sluice import route
from harness.strict_origin import FIELDS, Script, StrictOrigin

SEED = 1729
FAULTS = [b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\0", b" ", b"\t", b"\x0b", b"\x7f", b"\x85", b":", b",", b";", b"\"", b"0", b"1",
          b"a", b"-", b"_", b"/", b"?", b"#", b"@", b"*", b"%", b"chunked", b"\r\nContent-Length: 5", b"\r\nTransfer-Encoding: chunked",
          b"\r\nHost: b.example", b"\r\nConnection: close", b"\r\nExpect: 100-continue", b"5\r\nhello\r\n", b"0\r\n\r\n",
          b"GET /second HTTP/1.1\r\nHost: a.example\r\n\r\n", b"HTTP/1.0", b"HTTP/1.1", b"HEAD "]


@pytest.fixture
def origin():
    """Knows whose a request is by the client's address, which only the proxy can say."""
    server = StrictOrigin(lambda request: request.fields.get("x-forwarded-for", [None])[0])
    yield server
    server.stop()


def spoil(chance, message):
    """One to three faults: bytes put in, taken out, replaced, or a part said twice."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(message) + 1)
        what = chance.random()
        if what < 0.5:
            message = message[:at] + chance.choice(FAULTS) + message[at:]
        elif what < 0.7:
            message = message[:at] + message[at + chance.randint(1, 4):]
        elif what < 0.9:
            message = message[:at] + chance.choice(FAULTS) + message[at + 1:]
        else:
            end = min(len(message), at + chance.randint(1, 40))
            message = message[:end] + message[at:end] + message[end:]
    return message


def answers(received, seen):
    """The statuses of all final answers. Those of the origin must be what it said to the requests it saw, in their order."""
    statuses, seen = [], iter(seen)
    while received:
        head, mark, received = received.partition(b"\r\n\r\n")
        assert mark, f"an unfinished head: {head!r}"
        status = int(re.match(rb"HTTP/1\.1 ([0-9]{3}) ", head)[1])
        if status < 200:
            continue
        statuses.append(status)
        length = int(re.search(rb"(?i)\r\ncontent-length: ([0-9]+)", head)[1])
        if b"\r\nX-Origin: 1" in head:
            request = next(seen, None)
            assert request, f"an answer to nothing that was asked: {head!r}"
            said = f"{request.method} {request.target}".encode()
            length = 0 if request.method == "HEAD" else length
            assert received[:length] == (b"" if request.method == "HEAD" else said), (received[:length], said)
        elif b"\r\nConnection: close" in head:
            assert len(received) in (0, length), f"something behind the last answer: {received!r}"
            length = len(received)  # none to HEAD
        received = received[length:]
    assert next(seen, None) is None, "a request that reached the origin has no answer"
    return statuses


def outcome(address, origin, client, pieces):  # pylint: disable=redefined-outer-name
    line = Line(address, source=client)
    try:
        for piece in pieces:
            line.send(piece)
            if len(pieces) > 1:  # so that most arrive apart; nothing depends on whether they do
                time.sleep(0.0003)
        line.finish()
        line.at_end()
    finally:
        line.close()
    seen = origin.of(client)
    return answers(line.bytes, seen), [(r.method, r.target, r.body) for r in seen]


@pytest.mark.heavy
def test_random_faults(start_sluice, origin):  # pylint: disable=redefined-outer-name
    daemon = start_sluice({"workers": 2, "routes": [route()], "pools": {"stable": {
        "endpoints": [origin.url], "ejection": {"consecutive_failures": 0}}}})
    chance = random.Random(SEED)
    cases = [c for c in load("requests") if len(c["raw"]) < 600]
    good = [c["raw"].encode("latin-1") for c in cases if c["outcome"] == "served"]
    bad = [c["raw"].encode("latin-1") for c in cases if c["outcome"] != "served"]
    messages = [spoil(chance, chance.choice(good if chance.random() < 0.7 else bad)) for _ in range(scaled(3000))]
    served = itertools.count()

    def work(number, message, cuts):
        whole, cut = (f"127.{side}.{number >> 8}.{number & 255}" for side in (1, 2))
        ends = [0, *cuts, len(message)]
        at_once = outcome(daemon.address, origin, whole, [message])
        in_pieces = outcome(daemon.address, origin, cut, [message[a:b] for a, b in zip(ends, ends[1:])])
        if at_once[1]:
            next(served)
        return [] if at_once == in_pieces else [f"at once {at_once}, cut at {cuts} {in_pieces}"]
    jobs = [(repr(m), m, sorted(chance.sample(range(len(m) + 1), min(len(m), chance.randint(1, 12))))) for m in messages]
    wrong = each(jobs, work)
    assert not wrong, "\n".join(wrong)
    assert not origin.violations, "\n".join(origin.violations)
    assert len(jobs) // 10 < next(served) < len(jobs), "some faults are harmless, and not all"


ANSWER = re.compile(rb"HTTP/1\.1 [1-5][0-9][0-9] [^\r\n\0]*\r\n" + FIELDS + rb"\r\n")


def read_strictly(line, method):
    """The final answer's status, when there is one, and whether all of it came; every head must be a proper one."""
    while True:
        while b"\r\n\r\n" not in line.bytes:
            if not line.fill():
                assert not line.bytes, f"an unfinished head: {line.bytes!r}"
                return None
        at = line.bytes.index(b"\r\n\r\n") + 4
        head = line.bytes[:at]
        assert ANSWER.fullmatch(head), f"no head: {head!r}"
        framing = re.findall(rb"(?i)\r\n(?:content-length|transfer-encoding): ([^\r]*)", head)
        assert len(framing) <= 1, f"ambiguous: {head!r}"
        if b" 1" != head[8:10]:
            return line.answer(method)
        line.bytes = line.bytes[at:]


@pytest.mark.heavy
def test_random_faults_in_answers(start_sluice):
    origin = new_origin()  # pylint: disable=redefined-outer-name
    times = {"first_byte": "500ms", "stream_idle": "500ms"}
    daemon = start_sluice({"workers": 2, "timeouts": times, "routes": [route()], "pools": {"stable": {
        "endpoints": [origin.url], "ejection": {"consecutive_failures": 0}}}})
    chance = random.Random(SEED)
    cases = [c for c in load("responses") if len(c["raw"]) < 600]
    good = [c["raw"].encode("latin-1") for c in cases if c["outcome"] == "deliver"]
    bad = [c["raw"].encode("latin-1") for c in cases if c["outcome"] != "deliver"]
    raws = [spoil(chance, chance.choice(good if chance.random() < 0.7 else bad)) for _ in range(scaled(1500))]
    jobs = [(repr(raw), raw, chance.choice(["GET", "GET", "HEAD"]), chance.random() < 0.8) for raw in raws]
    delivered = itertools.count()

    def work(number, raw, method, close):
        token = f"cz{number}c"
        origin.scripts[token[:-1]] = Script(raw, close=close)
        line = Line(daemon.address)
        try:
            line.send(f"{method} /r-{token} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())
            answer = read_strictly(line, method)
            if answer and "X-Sluice-Error" not in answer[1] and answer[3]:
                next(delivered)
            if line.ended or not answer or "\r\nConnection: close\r\n" in answer[1]:
                line.close()
                line = Line(daemon.address)
            line.send(f"GET /after-{token} HTTP/1.1\r\nHost: a.example\r\n\r\n".encode())
            after = read_strictly(line, "GET")
        finally:
            line.close()
        return [] if after and after[2] == f"GET /after-{token}".encode() else [f"the next request is answered {after}"]
    wrong = each(jobs, work)
    origin.stop()
    assert not wrong, "\n".join(wrong)
    assert not origin.violations, "\n".join(origin.violations)
    assert len(jobs) // 10 < next(delivered) < len(jobs)
