#!/usr/bin/python3
"""Many clients of one address from one process, good or bad ones.

    crowd.py bad  HOST PORT COUNT                       until stdin ends; then, and after each line that comes there, one
                                                        line of JSON: how often each kind came again
    crowd.py good HOST PORT CONNECTIONS AT_ONCE REQUESTS one line of JSON: errors and percentiles of latency (ms)

Both print "ready" when all are connected. Bad ones, an equal number of each: a head that comes byte by byte, a body that
does, one that asks for much and reads nothing, one that says nothing, garbage, a head without end, and resets at every point
of a request. Who is closed comes again at once. Good ones hold all their connections open and have AT_ONCE requests under
way, on one connection after the other."""
import errno
import json
import os
import random
import resource
import select
import socket
import struct
import sys
import time

ROUND = 0.02   # seconds between two rounds of the bad ones; each acts once in ROUNDS of them
ROUNDS = 25
HEAD = b"POST /b/1024 HTTP/1.1\r\nHost: crowd\r\nContent-Length: 100000\r\nX-Filler: " + b"y" * 200 + b"\r\n\r\n"
SOURCES = 64   # addresses they come from, so that there are ports enough


def connect(address, number, receive=None):
    """A socket that is being connected."""
    s = socket.socket()
    s.setblocking(False)
    if receive:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    s.bind((f"127.0.{1 + number % SOURCES}.1", 0))
    s.connect_ex(address)
    return s


class Bad:
    """One bad client; act() is called again and again."""
    receive = None

    def __init__(self, address, number):
        self.address, self.number, self.sent, self.closed = address, number, 0, 0
        self.socket = connect(address, number, self.receive)

    def again(self):
        self.socket.close()
        self.closed += 1
        self.sent = 0
        self.socket = connect(self.address, self.number, self.receive)

    def send(self, data):
        try:
            self.sent += self.socket.send(data, socket.MSG_NOSIGNAL)
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ENOTCONN:  # still connecting
                self.again()

    def read(self):
        """What came is thrown away; the end brings another connection."""
        try:
            if not self.socket.recv(65536):
                self.again()
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ENOTCONN:
                self.again()


class SlowHead(Bad):
    def act(self):
        self.send(HEAD[self.sent % len(HEAD):][:1])
        self.read()


class SlowBody(Bad):
    def act(self):
        self.send(HEAD if self.sent < len(HEAD) else b"z")
        self.read()


class SlowReader(Bad):
    receive = 4096

    def act(self):
        if not self.sent:
            self.send(b"GET /b/1000000 HTTP/1.1\r\nHost: crowd\r\n\r\n")


class Silent(Bad):
    def act(self):
        self.read()


class Garbage(Bad):
    def act(self):
        self.send(random.randbytes(200))
        self.read()


class HugeHead(Bad):
    def act(self):
        self.send(b"GET / HTTP/1.1\r\nHost: crowd\r\n" + b"X: " + b"y" * 70000 if not self.sent else b"y" * 4000)
        self.read()


class Reset(Bad):
    def act(self):
        self.send(HEAD[:random.randrange(1, len(HEAD))])
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.again()


KINDS = [SlowHead, SlowBody, SlowReader, Silent, Garbage, HugeHead, Reset]


def bad(address, count):
    clients = [KINDS[n % len(KINDS)](address, n) for n in range(count)]
    print("ready", flush=True)
    turn, more = 0, True
    while more:
        for client in clients[turn::ROUNDS]:
            client.act()
        turn = (turn + 1) % ROUNDS
        if select.select([sys.stdin], [], [], ROUND)[0]:
            more = bool(sys.stdin.readline())
            print(json.dumps({kind.__name__: sum(c.closed for c in clients if isinstance(c, kind)) for kind in KINDS}), flush=True)


class Good:
    def __init__(self, address, count, at_once, requests):
        self.poll, self.sockets, self.errors = select.epoll(), {}, []
        self.latencies, self.left, self.begun, self.got = [], requests, {}, {}
        for n in range(count):
            s = socket.socket()
            s.bind((f"127.0.{1 + n % SOURCES}.2", 0))
            s.connect(address)
            s.setblocking(False)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sockets[s.fileno()] = s
            self.poll.register(s, select.EPOLLIN)
        self.idle = list(self.sockets)
        self.at_once = at_once

    def ask(self):
        fd = self.idle.pop(0)
        self.left -= 1
        self.begun[fd], self.got[fd] = time.perf_counter(), b""
        try:
            self.sockets[fd].send(b"GET /b/1024 HTTP/1.1\r\nHost: crowd\r\nX-User-Id: %d\r\n\r\n" % fd)
        except OSError as error:
            self.fail(fd, repr(error))

    def fail(self, fd, why):
        self.errors.append(why)
        self.begun.pop(fd, None)
        self.poll.unregister(fd)
        self.sockets.pop(fd).close()
        if fd in self.idle:
            self.idle.remove(fd)

    def read(self, fd):
        try:
            data = self.sockets[fd].recv(65536)
        except OSError as error:
            data, why = b"", repr(error)
        else:
            why = "closed"
        if not data:
            self.fail(fd, why)
            return
        got = self.got[fd] = self.got.get(fd, b"") + data
        head, separator, body = got.partition(b"\r\n\r\n")
        if not separator or (head.startswith(b"HTTP/1.1 200") and len(body) < 1024):
            return
        begun = self.begun.pop(fd, None)
        if begun is None or not head.startswith(b"HTTP/1.1 200"):
            self.fail(fd, head[:200].decode("latin-1"))
            return
        self.latencies.append(1000 * (time.perf_counter() - begun))
        self.idle.append(fd)

    def run(self):
        while self.left > 0 or self.begun:
            while self.left > 0 and len(self.begun) < self.at_once and self.idle:
                self.ask()
            if not self.sockets:
                break
            events = self.poll.poll(30)
            if not events:
                self.errors.append(f"{len(self.begun)} requests without an answer for 30 s")
                break
            for fd, _ in events:
                self.read(fd)
        times = sorted(self.latencies) or [0.0]
        return {"requests": len(self.latencies), "errors": len(self.errors), "first_errors": self.errors[:5],
                **{f"p{p}": round(times[min(len(times) - 1, int(len(times) * p / 100))], 3) for p in (50, 90, 99)}}


def main():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    what, host, port, *numbers = sys.argv[1:]
    address = (host, int(port))
    if what == "bad":
        bad(address, int(numbers[0]))
        return
    good = Good(address, *map(int, numbers))
    print("ready", flush=True)
    print(json.dumps(good.run()))


if __name__ == "__main__":
    if len(sys.argv) < 5:
        sys.exit(__doc__)
    main()
    os._exit(0)  # thousands of sockets need no orderly end
