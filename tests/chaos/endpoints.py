"""Model servers that misbehave on purpose, and remember of each request what they did to it."""
import hashlib
import json
import random
import threading
import time
from dataclasses import dataclass

from harness.upstream import Closed, Upstream

FAULTS = ("status", "reset", "close", "cut", "garbage", "late")


@dataclass
class Receipt:
    """One request as an endpoint had it."""
    id: str
    endpoint: str
    at: float
    method: str
    sha: str
    mirrored: bool
    did: str = "nothing"  # "answered", one of FAULTS, "gone": the proxy hung up


class Endpoint:
    """`pool` and a name; faults come with a probability that the operator sets."""

    def __init__(self, name, seed, book):
        self.name, self.book = name, book
        self.random = random.Random(seed)
        self.faulty = 0.0
        self.lock = threading.Lock()
        self.server = Upstream(name, self.handle)
        self.port = self.server.port
        self.url = self.server.url

    def handle(self, request, reply):
        if request.path == "/health":
            reply.send(200, "ok")
            return
        receipt = Receipt(request.header("X-Request-Id"), self.name, time.time(), request.method, request.body_sha,
                          request.header("X-Sluice-Mirror") is not None)
        self.book.append(receipt)
        with self.lock:
            fault = self.random.choice(FAULTS) if self.random.random() < self.faulty else None  # a "cut" of HEAD cuts nothing
            size, pause, chunked = self.random.choice((0, 100, 5000, 60_000)), self.random.random() * 0.03, self.random.random() < 0.4
        receipt.did = fault or "gone"
        if fault == "status":
            reply.send(random.choice((500, 502, 503, 504)), "sick")
            return
        elif fault == "reset":
            reply.reset()
        elif fault == "close":
            reply.close()
        elif fault == "garbage":
            reply.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!")
            reply.close()
        if fault == "late":
            threading.Event().wait(3.5)  # past first_byte
        elif pause > 0.02:
            threading.Event().wait(pause)
        self.answer(request, reply, receipt, size, chunked, fault)

    def answer(self, request, reply, receipt, size, chunked, fault):
        body = json.dumps({"id": receipt.id, "endpoint": self.name, "sha": receipt.sha}).encode() + b"\n" + b"x" * size
        fields = [("X-Body-Sha", hashlib.sha256(body).hexdigest()), ("X-Endpoint", self.name)]
        if (chunked or fault == "cut") and request.method != "HEAD":
            reply.begin_chunked(200, fields)
            for at in range(0, len(body), 20_000):
                reply.chunk(body[at:at + 20_000])
            if fault == "cut":
                reply.close()
            if not fault:
                receipt.did = "answered"
            reply.end_chunked()
        else:
            if not fault:
                receipt.did = "answered"
            reply.send(200, body, fields)

    def stop(self):
        self.server.stop()
        return self.server.unexpected

    def down(self):
        """Refuses connections; those that are open end."""
        self.server.stop()

    def up(self):
        unexpected = self.server.unexpected
        self.server = Upstream(self.name, self.handle, port=self.port)
        self.server.unexpected += unexpected


__all__ = ["Endpoint", "Receipt", "Closed", "FAULTS"]
