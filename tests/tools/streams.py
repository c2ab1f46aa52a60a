#!/usr/bin/env python3
"""Many event streams at once, with the time each event took:
    streams.py origin RATE                  prints its port; sends RATE events a second, spread over the open streams
    streams.py client PORT COUNT EVENTS     opens COUNT streams, waits for EVENTS events; prints JSON
An event carries the moment it was sent (CLOCK_MONOTONIC, one machine), so neither side's own lag is counted twice."""
import json
import random
import re
import selectors
import socket
import sys
import time

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
EVENT = re.compile(rb"data: (\d+)\n\n")


def origin(rate):
    listener = socket.create_server(("127.0.0.1", 0), backlog=8192)
    listener.setblocking(False)
    print(listener.getsockname()[1], flush=True)
    watch, streams = selectors.DefaultSelector(), []
    watch.register(listener, selectors.EVENT_READ)
    due = time.monotonic()
    while True:
        for key, _ in watch.select(max(0.0, due - time.monotonic())):
            if key.fileobj is listener:
                peer, _ = listener.accept()
                peer.setblocking(False)
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                watch.register(peer, selectors.EVENT_READ, bytearray())
                continue
            peer = key.fileobj
            try:
                data = peer.recv(65536)
            except OSError:
                data = b""
            if not data:
                watch.unregister(peer)
                if peer in streams:
                    streams.remove(peer)
                peer.close()
                continue
            key.data.extend(data)
            if b"\r\n\r\n" in key.data:
                key.data.clear()
                peer.sendall(HEAD)
                streams.append(peer)
        if streams and time.monotonic() >= due:
            due += 1 / rate
            text = b"data: %d\n\n" % time.monotonic_ns()
            try:
                random.choice(streams).sendall(b"%x\r\n%s\r\n" % (len(text), text))
            except OSError:
                pass
        elif not streams:
            due = time.monotonic() + 0.01


def client(port, count, events):
    watch, delays, heads = selectors.DefaultSelector(), [], 0
    for _ in range(count):
        peer = socket.create_connection(("127.0.0.1", port), timeout=30)
        peer.sendall(b"GET /events HTTP/1.1\r\nHost: a.test\r\n\r\n")
        peer.setblocking(False)
        watch.register(peer, selectors.EVENT_READ)
    closed, deadline = 0, time.monotonic() + 120
    while (len(delays) < events or heads < count) and time.monotonic() < deadline:
        for key, _ in watch.select(1):
            data = key.fileobj.recv(65536)
            now = time.monotonic_ns()
            if not data:
                closed += 1
                watch.unregister(key.fileobj)
            if data.startswith(b"HTTP/1.1 200"):
                heads += 1
            if heads == count:  # all are open: now it counts
                delays += [(now - int(stamp)) / 1e6 for stamp in EVENT.findall(data)]
    delays.sort()
    print(json.dumps({"open": heads, "closed": closed, "events": len(delays), "median_ms": delays[len(delays) // 2],
                      "p99_ms": delays[len(delays) * 99 // 100]}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "origin":
        origin(float(sys.argv[2]))
    else:
        client(*map(int, sys.argv[2:5]))
