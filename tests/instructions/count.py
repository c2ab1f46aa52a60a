#!/usr/bin/python3
"""Instructions of what every request does, counted by valgrind's callgrind, which repeats exactly, against a budget.

    /usr/bin/python3 tests/instructions/count.py --subjects build/release/tests/subjects --sluice build/release/sluice
        [--budget tests/instructions/budget.json] [--update]

Fails when a count is more than 3 percent above its budget. More than 3 percent below is said, so that the budget can be
lowered; --update writes what was counted. A subject is a piece of the work by itself (subjects.c). What the daemon's worker
does is counted for a request and its answer of 1 KiB, 80/15/5 percent of the users to three pools, on kept connections
(`request`), for one on a connection of its own (`connection`) and for an event of a stream (`stream_event`): instructions,
system calls beside waiting for events (`…_calls`) and allocations (`…_allocations`).
The counts are of gcc 12's release build; memory functions are those of a plain x86-64."""
import argparse
import collections
import glob
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
MOST = 1.03
NOTHING = 1  # added to both sides of a ratio: a budget may be none, and what is done once in a while is less than this
# What the C library chooses by the processor would differ from machine to machine.
PLAIN = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX,-AVX512F,-AVX512VL,-AVX512BW,-ERMS,-FSRM,-SSSE3,-SSE4_1,-SSE4_2,-BMI2,-MOVBE"}
TIMES = (1000, 3000)
REQUESTS = (500, 2500)
BODY = b"x" * 1024
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = b'32\r\ndata: {"choices":[{"delta":{"content":"word"}}]}\n\n\r\n'
ANSWER = b"HTTP/1.1 200 OK\r\nServer: origin\r\nContent-Type: application/octet-stream\r\nContent-Length: 1024\r\n\r\n" + BODY


def total(path):
    return int(re.search(r"^(?:summary|totals): (\d+)", pathlib.Path(path).read_text(encoding="utf-8"), re.M)[1])


def subject(program, name, folder):
    counts = []
    for times in TIMES:
        out = os.path.join(folder, f"{name}-{times}")
        done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", program, name, str(times)],
                              env={**os.environ, **PLAIN}, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{name}: exit {done.returncode}\n{done.stderr[-2000:]}")
        counts.append(total(out))
    return (counts[1] - counts[0]) / (TIMES[1] - TIMES[0])


class Origin:
    """Answers every request head with 1 KiB, in as few steps as can be; one that asks for events with a stream of them,
    each when the client has said that it has the one before."""
    received = threading.Semaphore(0)  # of whichever it is that streams

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        while data := client.recv(65536):
            if b"/events/" in data:
                self.stream(client, int(re.search(rb"/events/(\d+)", data)[1]))
            else:
                client.sendall(ANSWER * data.count(b"\r\n\r\n"))

    def stream(self, client, events):
        client.sendall(STREAM)
        for _ in range(events):
            client.sendall(EVENT)
            if not self.received.acquire(timeout=60):
                raise SystemExit("an event was not received")
        client.sendall(b"0\r\n\r\n")


class Client:
    """One connection, or one after another when each request closes its own."""

    def __init__(self, address):
        self.address, self.socket, self.asked = address, None, 0

    def ask(self, path, more=b""):
        if not self.socket:
            self.socket = socket.create_connection(self.address, timeout=60)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(b"GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: load\r\nAccept: */*\r\n"
                            b"X-User-Id: user-%d\r\n%s\r\n" % (path, self.asked % 500, more))
        self.asked += 1

    def until(self, end):
        got = b""
        while not got.endswith(end):
            piece = self.socket.recv(65536)
            if not piece:
                raise SystemExit(f"request {self.asked} was not answered")
            got += piece

    def close(self):
        if self.socket:
            self.socket.close()
        self.socket = None


def requests_on_one_connection(client, times):
    for _ in range(times):
        client.ask(b"/b/1024")
        client.until(BODY)


def a_connection_per_request(client, times):
    for _ in range(times):
        client.ask(b"/b/1024", b"Connection: close\r\n")
        client.until(BODY)
        if client.socket.recv(1):
            raise SystemExit("bytes behind the answer")
        client.close()


def events_of_a_stream(client, times):
    client.ask(b"/events/%d" % times)
    for _ in range(times):
        client.until(EVENT)
        Origin.received.release()
    client.until(b"0\r\n\r\n")


# What the worker is given to do, by what is counted of it.
WORK = {"request": requests_on_one_connection, "connection": a_connection_per_request, "stream_event": events_of_a_stream}
ALLOCATE = re.compile(r"malloc|calloc|realloc|posix_memalign|aligned_alloc|memalign")
# The C library's, of those that a worker may use; waiting for events is not counted: the busier, the fewer.
CALL = re.compile(r"recv|recvfrom|recvmsg|send|sendto|sendmsg|read|readv|write|writev|splice|accept|accept4|close|shutdown|socket"
                  r"|connect|setsockopt|getsockopt|fcntl|ioctl|poll|epoll_ctl|pipe2?|getsockname|getpeername")


def calls_of(path):
    """How often each function was called, of callgrind's account of one thread."""
    names, calls, callee = {}, collections.Counter(), None
    for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
        function = re.fullmatch(r"(c?)fn=\((\d+)\)(?: (.*))?", line)
        if function:
            called, number, name = function.groups()
            if name:
                names[number] = name.split("@")[0]
            callee = number if called else callee
        elif line.startswith("calls="):
            calls[names[callee]] += int(line[6:].split()[0])
    return calls


def worker_counts(sluice, origins, what, times, folder):
    """Instructions, system calls and allocations of the worker that did `what` so many times."""
    os.environ["SLUICE"] = sluice
    from harness.sluice import Sluice  # pylint: disable=import-outside-toplevel
    out = os.path.join(folder, f"{what}-{times}")
    weights = (80, 15, 5)
    daemon = Sluice(folder, {
        "workers": 1, "pools": {f"p{i}": {"endpoints": [origin.url]} for i, origin in enumerate(origins)},
        "routes": [{"name": "bench", "sticky": {"by": ["header X-User-Id"]},
                    "variants": {f"v{i}": {"pool": f"p{i}", "weight": w} for i, w in enumerate(weights)}}]},
                    name=f"{what}{times}", env=PLAIN, argv_prefix=(
                        "valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={out}"))
    client = Client(daemon.address)
    try:
        WORK[what](client, times)
        client.close()
        daemon.stop()
    finally:  # also when that went wrong
        daemon.child.kill()
    file, = glob.glob(out + "-02")  # the first thread after the control thread
    calls = calls_of(file)
    return (total(file), sum(n for name, n in calls.items() if CALL.fullmatch(name)),
            sum(n for name, n in calls.items() if ALLOCATE.fullmatch(name)))


def worker(sluice, what, folder):
    origins = [Origin() for _ in range(3)]
    few, many = (worker_counts(sluice, origins, what, times, folder) for times in REQUESTS)
    counts = [(b - a) / (REQUESTS[1] - REQUESTS[0]) for a, b in zip(few, many)]
    return dict(zip((what, f"{what}_calls", f"{what}_allocations"), counts))


def judge(name, count, budget):
    """A line about it, and whether it is too much."""
    if budget is None:
        return f"{name:24} {count:8.1f}  has no budget", True
    ratio = (count + NOTHING) / (budget + NOTHING)
    verdict = "MORE than its budget allows" if ratio > MOST else "less: lower its budget" if ratio < 2 - MOST else "as it was"
    return f"{name:24} {count:8.1f}  budget {budget:8.0f}  {100 * (ratio - 1):+5.1f} %  {verdict}", ratio > MOST


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--subjects", required=True)
    options.add_argument("--sluice", required=True)
    options.add_argument("--budget", default=str(HERE / "budget.json"))
    options.add_argument("--update", action="store_true")
    given = options.parse_args()
    names = subprocess.run([given.subjects], capture_output=True, text=True, timeout=20, check=True).stdout.split()
    with tempfile.TemporaryDirectory() as folder:
        counted = {name: subject(given.subjects, name, folder) for name in names}
        for what in WORK:
            counted.update(worker(os.path.abspath(given.sluice), what, folder))
    if given.update:
        text = json.dumps({name: round(count) for name, count in counted.items()}, indent=2)
        pathlib.Path(given.budget).write_text(text + "\n", encoding="utf-8")
    budgets = json.loads(pathlib.Path(given.budget).read_text(encoding="utf-8"))
    judged = [judge(name, count, budgets.get(name)) for name, count in counted.items()]
    judged += [(f"{name:24} is in the budget, but nobody counts it", True) for name in budgets.keys() - counted.keys()]
    print("\n".join(line for line, _ in judged))
    return 1 if any(bad for _, bad in judged) else 0


if __name__ == "__main__":
    sys.exit(main())
