#!/usr/bin/python3
"""Instructions of what every request does, counted by valgrind's callgrind, which repeats exactly, against a budget.

    /usr/bin/python3 tests/instructions/count.py --subjects build/release/tests/subjects --sluice build/release/sluice
        [--budget tests/instructions/budget.json] [--update]

Fails when a count is more than 3 percent above its budget. More than 3 percent below is said, so that the budget can be
lowered; --update writes what was counted. A subject is a piece of the work by itself (subjects.c); `request` is what the
daemon's worker does for a request and its answer of 1 KiB, 80/15/5 percent of the users to three pools, on kept connections.
The counts are of gcc 12's release build; memory functions are those of a plain x86-64."""
import argparse
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
# What the C library chooses by the processor would differ from machine to machine.
PLAIN = {"GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-AVX,-AVX512F,-AVX512VL,-AVX512BW,-ERMS,-FSRM,-SSSE3,-SSE4_1,-SSE4_2,-BMI2,-MOVBE"}
TIMES = (1000, 3000)
REQUESTS = (500, 2500)
BODY = b"x" * 1024
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
    """Answers every request head with 1 KiB, in as few steps as can be."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.listener.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    @staticmethod
    def serve(client):
        while data := client.recv(65536):
            client.sendall(ANSWER * data.count(b"\r\n\r\n"))


def worker_total(sluice, origins, requests, folder):
    os.environ["SLUICE"] = sluice
    from harness.sluice import Sluice  # pylint: disable=import-outside-toplevel
    out = os.path.join(folder, f"request-{requests}")
    weights = (80, 15, 5)
    daemon = Sluice(folder, {
        "workers": 1, "pools": {f"p{i}": {"endpoints": [origin.url]} for i, origin in enumerate(origins)},
        "routes": [{"name": "bench", "sticky": {"by": ["header X-User-Id"]},
                    "variants": {f"v{i}": {"pool": f"p{i}", "weight": w} for i, w in enumerate(weights)}}]},
                    name=f"counted{requests}", env=PLAIN, argv_prefix=(
                        "valgrind", "--tool=callgrind", "--separate-threads=yes", f"--callgrind-out-file={out}"))
    with socket.create_connection(daemon.address, timeout=60) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(requests):
            client.sendall(b"GET /b/1024 HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: load\r\nAccept: */*\r\n"
                           b"X-User-Id: user-%d\r\n\r\n" % (number % 500))
            got = b""
            while not got.endswith(BODY):
                piece = client.recv(65536)
                if not piece:
                    raise SystemExit(f"request {number} was not answered: {daemon.stderr()[-2000:]}")
                got += piece
    daemon.stop()
    file, = glob.glob(out + "-02")  # the first thread after the control thread
    return total(file)


def request(sluice, folder):
    origins = [Origin() for _ in range(3)]
    few, many = (worker_total(sluice, origins, count, folder) for count in REQUESTS)
    return (many - few) / (REQUESTS[1] - REQUESTS[0])


def judge(name, count, budget):
    """A line about it, and whether it is too much."""
    if budget is None:
        return f"{name:24} {count:8.0f}  has no budget", True
    ratio = count / budget
    verdict = "MORE than its budget allows" if ratio > MOST else "less: lower its budget" if ratio < 2 - MOST else "as it was"
    return f"{name:24} {count:8.0f}  budget {budget:8.0f}  {100 * (ratio - 1):+5.1f} %  {verdict}", ratio > MOST


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
        counted["request"] = request(os.path.abspath(given.sluice), folder)
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
