#!/usr/bin/env python3
"""What counting costs a stream: CPU per event of a stream that is counted against the same bytes of a type that is not.

    python3 tests/bench/sse_counting.py [--sluice build/release/sluice] [--events 20000] [--repeats 15] [--batch 1]

One worker, one stream at a time, events like those of a chat completion (about 250 bytes), each written by itself (or --batch
of them at once). CPU is the daemon's own, user and system, from /proc. Both kinds alternate.
"""
import argparse
import json
import os
import socket
import statistics
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
KINDS = {"counted": "text/event-stream", "plain": "application/octet-stream"}


def event(text, finish=None):
    return ("data: " + json.dumps({
        "id": "chatcmpl-9f6a1c0b7e2d4f58a3b1", "object": "chat.completion.chunk", "created": 1764000000, "model": "gpt-4o-2026-01",
        "system_fingerprint": "fp_0123456789", "choices": [{"index": 0, "delta": {"content": text}, "logprobs": None,
                                                            "finish_reason": finish}]}, separators=(",", ":")) + "\n\n").encode()


class Origin:
    """Takes one connection at a time and answers with a stream of the type that the path names, event by event."""

    def __init__(self, batch):
        words = [event(word) for word in (" the", " answer", " is", " forty", "-two", ".", "\n\n", " Indeed")]
        self.pieces = [b"".join(words[(i + k) % len(words)] for k in range(batch)) for i in range(len(words))]
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=16)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def accept(self):
        sock, _ = self.listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(65536)
        kind = head.split(b" ")[1].strip(b"/").decode()
        sock.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: {KINDS[kind]}\r\nConnection: close\r\n\r\n".encode())
        return sock


def cpu_ns(pid):
    """Of all its threads, in nanoseconds."""
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total


def stream(origin, address, kind, writes):
    """In lock-step: the next write comes when the last one has arrived, as tokens do that a model takes its time for. So each
    is one read and one write of the proxy, whatever the machine does."""
    with socket.create_connection(address) as client:
        client.sendall(f"GET /{kind} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
        with origin.accept() as server:
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(65536)
            pieces, size = origin.pieces, len(origin.pieces)
            for i in range(writes):
                piece = pieces[i % size]
                server.sendall(piece)
                left = len(piece)
                while left:
                    left -= len(client.recv(left))
            server.sendall(event("", "stop") + b"data: [DONE]\n\n")
        while client.recv(65536):
            pass


def interval(values):
    """Of the median, 95 percent: by the order of the values alone (the binomial distribution, in its normal form)."""
    ordered = sorted(values)
    half = 0.98 * len(ordered) ** 0.5
    middle = len(ordered) / 2
    return ordered[max(0, int(middle - half))], ordered[min(len(ordered) - 1, int(middle + half))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sluice", default="build/release/sluice")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--batch", type=int, default=1)
    options = parser.parse_args()
    os.environ["SLUICE"] = os.path.abspath(options.sluice)
    from harness.sluice import Sluice, pool, route  # pylint: disable=import-outside-toplevel
    origin = Origin(options.batch)
    costs = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as directory:
        daemon = Sluice(directory, {"workers": 1, "pools": {"p": pool(origin.url)}, "routes": [
            route("chat", {"v": {"pool": "p", "weight": 100, "price": {"input": 1, "output": 2}}})]})
        for repeat in range(options.repeats + 1):
            for kind in KINDS if repeat % 2 else reversed(KINDS):
                before = cpu_ns(daemon.pid)
                stream(origin, daemon.address, kind, options.events // options.batch)
                if repeat:  # the first round warms up
                    costs[kind].append((cpu_ns(daemon.pid) - before) / options.events)
        daemon.stop()
    print(f"{'stream':<10}{'ns/event':>10}{'least':>10}{'most':>10}")
    for kind in KINDS:
        print(f"{kind:<10}{statistics.median(costs[kind]):>10.0f}{min(costs[kind]):>10.0f}{max(costs[kind]):>10.0f}")
    ratios = [counted / plain for counted, plain in zip(costs["counted"], costs["plain"])]
    low, high = interval(ratios)
    print(f"ratio of medians {statistics.median(costs['counted']) / statistics.median(costs['plain']):.4f}, "
          f"median of the pairs' ratios {statistics.median(ratios):.4f} (95 %: {low:.4f} to {high:.4f}, {len(ratios)} pairs)")


if __name__ == "__main__":
    main()
