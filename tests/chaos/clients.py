"""Clients that keep an account of every request: when it went out, what came of it."""
import hashlib
import json
import random
import threading
import time
from dataclasses import dataclass, field

from harness.client import Client, Cut

PATHS = ("/chat", "/session", "/plain", "/none")


@dataclass
class Account:
    """One request. `end`: "answered"; "aborted" by the client; "raced": a kept connection was closed, unasked, when it was sent;
    "cut": it ended before its answer did; "silent": no answer within the time."""
    id: str
    client: str
    method: str
    path: str
    unit: str
    sha: str
    begun: float
    ended: float = 0.0
    end: str = "silent"
    status: int = 0
    variant: str = None
    endpoint: str = None
    own_error: str = None
    pin: str = None  # the cookie that it brought
    wrong: list = field(default_factory=list)  # what is wrong with the answer itself


class Visitor(threading.Thread):
    """One client with a connection that it keeps as long as it may."""

    def __init__(self, name, seed, address, accounts, stop, aborts):
        super().__init__(daemon=True, name=name)
        self.random = random.Random(seed)
        self.address, self.accounts, self.stop, self.aborts = address, accounts, stop, aborts
        self.connection, self.used, self.count, self.cookie = None, 0, 0, None
        self.failure = None

    def run(self):
        try:
            while not self.stop.is_set():
                self.visit()
                if self.random.random() < 0.2:
                    self.stop.wait(self.random.random() * 0.4)
        except Exception as error:  # noqa: BLE001 - a mistake of this program; told by the oracle
            self.failure = repr(error)
        finally:
            self.close()

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection, self.used = None, 0

    def make(self):
        rng = self.random
        self.count += 1
        method = rng.choice(("GET", "GET", "POST", "POST", "PUT", "HEAD"))
        body = rng.randbytes(rng.choice((0, 10, 3000, 70_000))) if method in ("POST", "PUT") else None
        account = Account(f"{self.name}-{self.count}", self.name, method, rng.choice(PATHS[:3] * 8 + PATHS), f"u{rng.randrange(400)}",
                          hashlib.sha256(body or b"").hexdigest(), 0.0)
        fields = [("X-Request-Id", account.id), ("X-User-Id", account.unit)]
        if account.path == "/session" and self.cookie:
            account.pin = self.cookie
            fields.append(("Cookie", self.cookie))
        if body and rng.random() < 0.3:
            cut = rng.randrange(1, len(body) + 1)
            pieces = [p for p in (body[:cut], body[cut:]) if p]
            body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
            fields.append(("Transfer-Encoding", "chunked"))
        return account, fields, body

    def visit(self):
        account, fields, body = self.make()
        self.accounts.append(account)
        fate = self.random.random() if self.aborts else 1.0
        account.begun = time.time()
        try:
            if self.connection is None:
                self.connection = Client(self.address, 20)
            raw = self.connection.render(account.method, account.path, fields, body)
            if fate < 0.04:
                self.connection.send(raw[:self.random.randrange(1, len(raw))])
                self.abort(account)
                return
            self.connection.send(raw)
            if fate < 0.08:
                self.stop.wait(self.random.random() * 0.02)
                self.abort(account)
                return
            self.take(account)
        except TimeoutError:
            account.ended = time.time()
            self.close()
        except (Cut, OSError) as error:
            account.ended = time.time()
            fresh = self.used == 0
            nothing_came = not account.status and not (self.connection and self.connection.buffer)
            account.end = "raced" if nothing_came and not fresh else "cut"
            account.own_error = account.own_error or repr(error)
            self.close()

    def abort(self, account):
        account.end, account.ended = "aborted", time.time()
        if self.random.random() < 0.5:
            self.connection.reset()
        self.close()

    def take(self, account):
        response = self.connection.final_head()
        account.status, account.variant = response.status, response.variant
        account.endpoint, account.own_error = response.header("X-Endpoint"), response.header("X-Sluice-Error")
        response.body = b"".join(self.connection.pieces(response, account.method))
        account.ended, account.end = time.time(), "answered"
        self.used += 1
        self.check(account, response)
        if (response.header("Connection") or "").lower() == "close":
            self.close()

    def check(self, account, response):
        if response.header("X-Request-Id") != account.id:
            account.wrong.append(f"the answer is of {response.header('X-Request-Id')}")
        for cookie in response.all("Set-Cookie"):
            self.cookie = cookie.split(";")[0]
        if account.endpoint is None or account.method == "HEAD":
            return
        if hashlib.sha256(response.body).hexdigest() != response.header("X-Body-Sha"):
            account.wrong.append("the answer's body is not what the endpoint sent")
            return
        said = json.loads(response.body.split(b"\n", 1)[0])
        if said["id"] != account.id:
            account.wrong.append(f"the body is the answer of {said['id']}")
        if said["sha"] != account.sha:
            account.wrong.append("the endpoint had another body than was sent")
