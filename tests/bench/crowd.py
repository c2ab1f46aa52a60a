#!/usr/bin/python3
"""What 10,000 connections with 20 percent bad clients cost the good ones: their p99 alone and in the crowd.

    SLUICE=build/release/sluice /usr/bin/python3 tests/bench/crowd.py [--repeats 5] [--connections 10000] [--bad 20]
        [--requests 20000] [--at-once 32] [--json FILE]

The good clients are the same in both cases: 80 percent of the connections, held open, with 32 requests under way on one after
the other; the endpoint is `sluice simulate`. Alone and crowd alternate, so that whatever else the machine does hits both: read
the ratio. The proxy has core 0, everybody else core 1. Bad clients: tests/tools/crowd.py."""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "integration"))
# pylint: disable=wrong-import-position
from harness.models import Model  # noqa: E402
from harness.sluice import Sluice, pool, route  # noqa: E402

TOOL = str(HERE.parent / "tools" / "crowd.py")


def start(*arguments):
    nice = ["nice", "-n", "10"] if arguments[0] == "bad" else []  # who measures is not to wait for them
    process = subprocess.Popen(["taskset", "-c", "1", *nice, sys.executable, TOOL, *map(str, arguments)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    if process.stdout.readline() != "ready\n":
        raise SystemExit("the clients could not connect")
    return process


def good(daemon, settings):
    count = settings.connections * (100 - settings.bad) // 100
    return json.loads(start("good", *daemon.address, count, settings.at_once, settings.requests).communicate(timeout=300)[0])


def crowd(daemon, settings):
    others = start("bad", *daemon.address, settings.connections * settings.bad // 100)
    figures = good(daemon, settings)
    figures["came_again"] = json.loads(others.communicate(timeout=60)[0])
    return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--connections", type=int, default=10000)
    parser.add_argument("--bad", type=int, default=20)
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--json")
    settings = parser.parse_args()
    rows = {"alone": [], "crowd": []}
    with tempfile.TemporaryDirectory() as folder:
        model = Model(folder, "origin", "--latency", "5ms", "--jitter", "0ms")
        daemon = Sluice(folder, {"workers": 1, "limits": {"connections": 20000}, "pools": {"stable": pool(model)},
                                 "routes": [route()]}, argv_prefix=("taskset", "-c", "0"))
        try:
            for repeat in range(settings.repeats):
                for name, run in (("alone", good), ("crowd", crowd)):
                    figures = run(daemon, settings)
                    rows[name].append(figures)
                    print(f"{repeat} {name:5} p50 {figures['p50']:7.2f} ms  p99 {figures['p99']:7.2f} ms  requests {figures['requests']}"
                          f"  errors {figures['errors']} {figures['first_errors'] or ''}", flush=True)
        finally:
            daemon.stop()
            daemon.child.kill()
            model.stop()
    ratios = [b["p99"] / a["p99"] for a, b in zip(rows["alone"], rows["crowd"])]
    print(f"p99 in the crowd / alone: median {statistics.median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}; "
          f"errors of good clients: {sum(row['errors'] for name in rows for row in rows[name])}")
    if settings.json:
        with open(settings.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    os.environ.setdefault("SLUICE", "build/release/sluice")
    main()
